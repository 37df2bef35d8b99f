// Package rootcacertpublisher keeps the cluster's CA certificate in the
// ConfigMap kube-root-ca.crt of every namespace.
//
// Invariant: in an active namespace the ConfigMap has this CA and nothing else;
// annotations and labels that others set stay.
//
// It follows Publisher, k8s.io/kubernetes
// pkg/controller/certificates/rootcacertpublisher v1.37.2.
package rootcacertpublisher

import (
	"context"
	"errors"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "rootcacertpublisher"

// What the ConfigMap looks like. Source: k8s.io/kubernetes
// pkg/controller/certificates/rootcacertpublisher v1.37.2.
const (
	configMapName         = "kube-root-ca.crt"
	descriptionAnnotation = "kubernetes.io/description"
	description           = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. " +
		"No other usage is guaranteed across distributions of Kubernetes clusters."
)

// Config is what a Reconciler needs.
type Config struct {
	engine.Host
	// RootCA is the CA certificate of the API server, PEM.
	RootCA []byte
}

func (c *Config) validate() error {
	var errs []error
	if len(c.RootCA) == 0 {
		errs = append(errs, errors.New("rootcacertpublisher: Config.RootCA is empty: pass the API server's CA certificate, PEM"))
	}
	return c.Validate(Name, errs...)
}

// Reconciler reconciles Namespaces.
type Reconciler struct {
	view   *engine.View
	api    engine.API
	who    engine.Identity
	rootCA string
}

var _ engine.Rememberer = (*Reconciler)(nil)

// New returns a Reconciler. It must be called before the engine starts.
func New(cfg Config) (*Reconciler, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg.View.Track(engine.Namespaces, engine.ConfigMaps)
	return &Reconciler{
		view: cfg.View, api: cfg.API, rootCA: string(cfg.RootCA),
		who: engine.ControllerIdentity("root-ca-cert-publisher"),
	}, nil
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

// Observe implements engine.Reconciler.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	switch {
	case c.Resource == engine.Namespaces && c.Type != watch.Deleted:
		return []engine.Key{{Controller: Name, Name: c.Object.GetName()}}
	case c.Resource == engine.ConfigMaps && c.Type != watch.Added && c.Object.GetName() == configMapName:
		return []engine.Key{{Controller: Name, Name: c.Object.GetNamespace()}}
	}
	return nil
}

// Remember implements engine.Rememberer: a namespace that there is.
func (r *Reconciler) Remember(key engine.Key) ([]byte, error) {
	if _, ok := engine.Get[*corev1.Namespace](r.view, engine.Namespaces, "", key.Name); !ok {
		return nil, nil
	}
	return []byte{}, nil
}

// Recall implements engine.Rememberer. What is remembered may be another
// cluster's, whose snapshot was restored here.
func (r *Reconciler) Recall(_ context.Context, key engine.Key, _ []byte, _ time.Time) error {
	if namespace, ok := engine.Get[*corev1.Namespace](r.view, engine.Namespaces, "", key.Name); ok && r.decide(namespace) != (plan{}) {
		return &engine.StaleError{Reason: "rootcacertpublisher: the CA certificate is another cluster's: it is written anew"}
	}
	return nil
}

// plan is the ConfigMap to write; at most one field is set.
type plan struct {
	Create, Update *corev1.ConfigMap
}

// decide returns what brings the namespace's ConfigMap, nil if there is none,
// in line with rootCA.
func decide(namespace *corev1.Namespace, have *corev1.ConfigMap, rootCA string) plan {
	if namespace.Status.Phase != corev1.NamespaceActive {
		return plan{}
	}
	data := map[string]string{"ca.crt": rootCA}
	if have == nil {
		return plan{Create: &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: namespace.Name, Name: configMapName,
				Annotations: map[string]string{descriptionAnnotation: description},
			},
			Data: data,
		}}
	}
	if maps.Equal(have.Data, data) && have.Annotations[descriptionAnnotation] != "" {
		return plan{}
	}
	next := have.DeepCopy()
	next.Data = data
	metav1.SetMetaDataAnnotation(&next.ObjectMeta, descriptionAnnotation, description)
	return plan{Update: next}
}

// Reconcile implements engine.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, _ time.Time) (engine.Wake, error) {
	namespace, ok := engine.Get[*corev1.Namespace](r.view, engine.Namespaces, "", key.Name)
	if !ok {
		return engine.Wake{}, nil
	}
	return engine.Wake{}, r.apply(ctx, r.decide(namespace))
}

func (r *Reconciler) decide(namespace *corev1.Namespace) plan {
	have, _ := engine.Get[*corev1.ConfigMap](r.view, engine.ConfigMaps, namespace.Name, configMapName)
	return decide(namespace, have, r.rootCA)
}

func (r *Reconciler) apply(ctx context.Context, p plan) error {
	switch {
	case p.Create != nil:
		_, err := r.api.Create(ctx, r.who, engine.ConfigMaps, p.Create)
		if apierrors.IsNotFound(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
			return nil
		}
		return err
	case p.Update != nil:
		_, err := r.api.Update(ctx, r.who, engine.ConfigMaps, "", p.Update)
		return err
	}
	return nil
}
