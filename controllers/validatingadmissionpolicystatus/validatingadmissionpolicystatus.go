// Package validatingadmissionpolicystatus says which expressions of a
// ValidatingAdmissionPolicy do not fit the types that the policy is for.
//
// Invariant: once status.observedGeneration is the policy's generation, status.typeChecking
// has all warnings about its expressions, against the types that were served then.
//
// It follows k8s.io/kubernetes pkg/controller/validatingadmissionpolicystatus v1.37.2.
// Upstream's TypeChecker is a part of k8s.io/apiserver, so the API server calls it.
package validatingadmissionpolicystatus

import (
	"context"
	"errors"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "validatingadmissionpolicy-status"

const policies engine.Resource = "validatingadmissionpolicies.admissionregistration.k8s.io"

// Config is what a Reconciler needs.
type Config struct {
	engine.Host
	// Check returns upstream's warnings about a policy.
	Check func(*admissionregistrationv1.ValidatingAdmissionPolicy) []admissionregistrationv1.ExpressionWarning
}

// Reconciler reconciles ValidatingAdmissionPolicies.
type Reconciler struct {
	cfg Config
	who engine.Identity
}

var _ engine.Reconciler = (*Reconciler)(nil)

// New returns a Reconciler. It must be called before the engine starts.
func New(cfg Config) (*Reconciler, error) {
	var missing error
	if cfg.Check == nil {
		missing = errors.New(Name + ": Config.Check is nil: pass that of the API server")
	}
	if err := cfg.Validate(Name, missing); err != nil {
		return nil, err
	}
	cfg.View.Track(policies)
	return &Reconciler{cfg: cfg, who: engine.ControllerIdentity("validatingadmissionpolicy-status-controller")}, nil
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

// Observe implements engine.Reconciler.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	policy, ok := c.Object.(*admissionregistrationv1.ValidatingAdmissionPolicy)
	if !ok || c.Type == watch.Deleted || !unchecked(policy) {
		return nil
	}
	return []engine.Key{{Controller: Name, Name: policy.Name}}
}

// unchecked reports whether a policy has changed since its status was written. Source:
// Controller.reconcile.
func unchecked(policy *admissionregistrationv1.ValidatingAdmissionPolicy) bool {
	return policy.Generation > policy.Status.ObservedGeneration
}

// checked returns policy with a status that has these warnings.
func checked(policy *admissionregistrationv1.ValidatingAdmissionPolicy, warnings []admissionregistrationv1.ExpressionWarning) *admissionregistrationv1.ValidatingAdmissionPolicy {
	next := policy.DeepCopy()
	next.Status.ObservedGeneration = policy.Generation
	next.Status.TypeChecking = &admissionregistrationv1.TypeChecking{ExpressionWarnings: warnings}
	return next
}

// Reconcile implements engine.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, _ time.Time) (engine.Wake, error) {
	policy, ok := engine.Get[*admissionregistrationv1.ValidatingAdmissionPolicy](r.cfg.View, policies, "", key.Name)
	if !ok || !unchecked(policy) {
		return engine.Wake{}, nil
	}
	_, err := r.cfg.API.Update(ctx, r.who, policies, "status", checked(policy, r.cfg.Check(policy)))
	if apierrors.IsNotFound(err) {
		return engine.Wake{}, nil
	}
	return engine.Wake{}, err
}
