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
	"errors"
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

// Config is what a Reconciler needs.
type Config struct {
	// View is the engine's picture of the cluster. New makes it hold
	// Namespaces and ServiceAccounts.
	View *engine.View
	// API is where the Reconciler writes.
	API engine.API
}

func (c *Config) validate() error {
	var errs []error
	if c.View == nil {
		errs = append(errs, errors.New("serviceaccount: Config.View is nil: pass the engine's View"))
	}
	if c.API == nil {
		errs = append(errs, errors.New("serviceaccount: Config.API is nil: pass the API server's in-process client"))
	}
	return errors.Join(errs...)
}

// Reconciler reconciles Namespaces.
type Reconciler struct {
	view *engine.View
	api  engine.API
	who  engine.Identity
}

var _ engine.Reconciler = (*Reconciler)(nil)

// New returns a Reconciler. It must be called before the engine starts.
func New(cfg Config) (*Reconciler, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg.View.Track(engine.Namespaces)
	cfg.View.Track(engine.ServiceAccounts)
	return &Reconciler{view: cfg.View, api: cfg.API, who: engine.ControllerIdentity("service-account-controller")}, nil
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
