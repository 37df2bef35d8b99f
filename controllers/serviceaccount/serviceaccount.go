// Package serviceaccount gives every active namespace its default
// ServiceAccount.
//
// Invariant: it only ever creates; a ServiceAccount that somebody has changed
// stays as it is.
//
// It follows ServiceAccountsController, k8s.io/kubernetes
// pkg/controller/serviceaccount v1.37.2. Tokens are made by the API server.
package serviceaccount

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "serviceaccount"

// defaultName is the ServiceAccount of Pods that name none.
const defaultName = "default"

// Reconciler reconciles Namespaces.
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
	host.View.Track(engine.Namespaces, engine.ServiceAccounts)
	return &Reconciler{view: host.View, api: host.API, who: engine.ControllerIdentity("service-account-controller")}, nil
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

// Observe implements engine.Reconciler.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	switch {
	case c.Resource == engine.Namespaces && c.Type != watch.Deleted:
		return []engine.Key{{Controller: Name, Name: c.Object.GetName()}}
	case c.Resource == engine.ServiceAccounts && c.Type == watch.Deleted && c.Object.GetName() == defaultName:
		return []engine.Key{{Controller: Name, Name: c.Object.GetNamespace()}}
	}
	return nil
}

// plan says which ServiceAccount to create; empty for none.
type plan struct {
	Create string
}

// decide returns what the namespace lacks.
func decide(namespace *corev1.Namespace, exists bool) plan {
	if exists || namespace.Status.Phase != corev1.NamespaceActive {
		return plan{}
	}
	return plan{Create: defaultName}
}

// Reconcile implements engine.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, _ time.Time) (engine.Wake, error) {
	namespace, ok := engine.Get[*corev1.Namespace](r.view, engine.Namespaces, "", key.Name)
	if !ok {
		return engine.Wake{}, nil
	}
	_, exists := engine.Get[*corev1.ServiceAccount](r.view, engine.ServiceAccounts, key.Name, defaultName)
	return engine.Wake{}, r.apply(ctx, key.Name, decide(namespace, exists))
}

func (r *Reconciler) apply(ctx context.Context, namespace string, p plan) error {
	if p.Create == "" {
		return nil
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: p.Create}}
	_, err := r.api.Create(ctx, r.who, engine.ServiceAccounts, account)
	if apierrors.IsAlreadyExists(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return nil
	}
	return err
}
