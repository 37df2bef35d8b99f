// Package clusterroleaggregation fills ClusterRoles that have an
// aggregationRule, such as admin, edit and view.
//
// Invariant: such a ClusterRole has the rules of all that its selectors match,
// each once, in the order of selectors and names, and no others.
//
// It follows k8s.io/kubernetes pkg/controller/clusterroleaggregation v1.37.2.
package clusterroleaggregation

import (
	"context"
	"fmt"
	"slices"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "clusterroleaggregation"

const clusterRoles engine.Resource = "clusterroles.rbac.authorization.k8s.io"

// aggregatedIndex files ClusterRoles with an aggregationRule under "".
const aggregatedIndex = "clusterroleaggregation/aggregated"

// Reconciler reconciles ClusterRoles that have an aggregationRule.
type Reconciler struct {
	view *engine.View
	api  engine.API
	who  engine.Identity
}

var _ engine.Reconciler = (*Reconciler)(nil)

// New returns a Reconciler. It must be called before the engine starts.
func New(host engine.Host) (*Reconciler, error) {
	if err := host.Validate(Name); err != nil {
		return nil, err
	}
	host.View.Index(clusterRoles, aggregatedIndex, func(obj engine.Object) []string {
		if role, ok := obj.(*rbacv1.ClusterRole); !ok || role.AggregationRule == nil {
			return nil
		}
		return []string{""}
	})
	return &Reconciler{view: host.View, api: host.API, who: engine.ControllerIdentity("clusterrole-aggregation-controller")}, nil
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

// Observe implements engine.Reconciler. Which role feeds which is not known
// beforehand, and there are few: each commit touches all.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	if c.Resource != clusterRoles {
		return nil
	}
	var keys []engine.Key
	for _, role := range engine.ByIndex[*rbacv1.ClusterRole](r.view, clusterRoles, aggregatedIndex, "") {
		keys = append(keys, engine.Key{Controller: Name, Name: role.Name})
	}
	return keys
}

// plan says which rules to write.
type plan struct {
	// Write is false if the role has them already.
	Write bool
	Rules []rbacv1.PolicyRule
}

// decide returns the rules of role, gathered from all roles, which are sorted
// by name. Source: syncClusterRole.
func decide(role *rbacv1.ClusterRole, all []*rbacv1.ClusterRole) (plan, error) {
	if role.AggregationRule == nil {
		return plan{}, nil
	}
	var rules []rbacv1.PolicyRule
	for i := range role.AggregationRule.ClusterRoleSelectors {
		selector, err := metav1.LabelSelectorAsSelector(&role.AggregationRule.ClusterRoleSelectors[i])
		if err != nil {
			return plan{}, fmt.Errorf("clusterrole %s: aggregationRule.clusterRoleSelectors[%d]: %w", role.Name, i, err)
		}
		for _, other := range all {
			if other.Name != role.Name && selector.Matches(labels.Set(other.Labels)) {
				rules = union(rules, other.Rules)
			}
		}
	}
	if apiequality.Semantic.DeepEqual(rules, role.Rules) {
		return plan{}, nil
	}
	return plan{Write: true, Rules: rules}, nil
}

// union appends those of more that rules lacks.
func union(rules, more []rbacv1.PolicyRule) []rbacv1.PolicyRule {
	for _, rule := range more {
		if !slices.ContainsFunc(rules, func(r rbacv1.PolicyRule) bool { return apiequality.Semantic.DeepEqual(r, rule) }) {
			rules = append(rules, rule)
		}
	}
	return rules
}

// Reconcile implements engine.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, _ time.Time) (engine.Wake, error) {
	role, ok := engine.Get[*rbacv1.ClusterRole](r.view, clusterRoles, "", key.Name)
	if !ok {
		return engine.Wake{}, nil
	}
	p, err := decide(role, engine.List[*rbacv1.ClusterRole](r.view, clusterRoles, ""))
	if err != nil {
		return engine.Wake{}, err
	}
	return engine.Wake{}, r.apply(ctx, role, p)
}

// apply writes the rules.
//
// Deviation: upstream applies them server-side, as field manager
// "clusterrole-aggregation-controller"; this is an update of the newest
// revision, which no other write can come before.
func (r *Reconciler) apply(ctx context.Context, role *rbacv1.ClusterRole, p plan) error {
	if !p.Write {
		return nil
	}
	next := *role
	next.Rules = p.Rules
	_, err := r.api.Update(ctx, r.who, clusterRoles, "", &next)
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
