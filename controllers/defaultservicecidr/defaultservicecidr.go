// Package defaultservicecidr keeps the ServiceCIDR kubernetes, which has the server's own
// range of Services' addresses.
//
// Invariant: there is one. What it says is its first server's range; only its readiness is
// written again, if it has the range of this server and says nothing of it.
//
// It follows k8s.io/kubernetes pkg/controlplane/controller/defaultservicecidr v1.37.2,
// which looks every ten seconds.
package defaultservicecidr

import (
	"context"
	"errors"
	"slices"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "defaultservicecidr"

// What the object looks like. Source: pkg/controlplane/controller/defaultservicecidr
// v1.37.2.
const (
	objectName = "kubernetes"
	ready      = "Kubernetes default Service CIDR is ready"
)

// Config is what a Reconciler needs.
type Config struct {
	engine.Host
	// CIDR is the range of the server, for example "10.96.0.0/12".
	CIDR string
}

func (c *Config) validate() error {
	var errs []error
	if c.CIDR == "" {
		errs = append(errs, errors.New("defaultservicecidr: Config.CIDR is empty: pass the API server's range of Services' addresses"))
	}
	return c.Validate(Name, errs...)
}

// Reconciler reconciles the ServiceCIDR kubernetes.
type Reconciler struct {
	cfg Config
	who engine.Identity
}

var _ engine.Reconciler = (*Reconciler)(nil)

// New returns a Reconciler. It must be called before the engine starts.
func New(cfg Config) (*Reconciler, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg.View.Track(engine.ServiceCIDRs)
	// The API server does this itself.
	return &Reconciler{cfg: cfg, who: engine.Identity{User: "system:apiserver", Groups: []string{"system:masters"}}}, nil
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

// Observe implements engine.Reconciler.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	if c.Resource != engine.ServiceCIDRs || c.Object.GetName() != objectName {
		return nil
	}
	return []engine.Key{{Controller: Name, Name: objectName}}
}

// plan is the object to create, or whose status is to be written.
type plan struct {
	Create, Status *networkingv1.ServiceCIDR
}

// decide returns what to do about have, nil if there is none, at now.
func decide(have *networkingv1.ServiceCIDR, cidr string, now time.Time) plan {
	if have == nil {
		return plan{Create: &networkingv1.ServiceCIDR{
			ObjectMeta: metav1.ObjectMeta{Name: objectName}, Spec: networkingv1.ServiceCIDRSpec{CIDRs: []string{cidr}},
		}}
	}
	if have.DeletionTimestamp != nil || !slices.Equal(have.Spec.CIDRs, []string{cidr}) ||
		meta.FindStatusCondition(have.Status.Conditions, networkingv1.ServiceCIDRConditionReady) != nil {
		return plan{}
	}
	next := have.DeepCopy()
	next.Status.Conditions = append(next.Status.Conditions, metav1.Condition{
		Type: networkingv1.ServiceCIDRConditionReady, Status: metav1.ConditionTrue, Message: ready, LastTransitionTime: metav1.NewTime(now),
	})
	return plan{Status: next}
}

// Reconcile implements engine.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, _ engine.Key, now time.Time) (engine.Wake, error) {
	have, _ := engine.Get[*networkingv1.ServiceCIDR](r.cfg.View, engine.ServiceCIDRs, "", objectName)
	var err error
	switch p := decide(have, r.cfg.CIDR, now); {
	case p.Create != nil:
		_, err = r.cfg.API.Create(ctx, r.who, engine.ServiceCIDRs, p.Create)
	case p.Status != nil:
		_, err = r.cfg.API.Update(ctx, r.who, engine.ServiceCIDRs, "status", p.Status)
	}
	if apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) {
		err = nil // what has come or gone makes the key due again
	}
	return engine.Wake{}, err
}
