// Package endpointslicemirroring keeps EndpointSlices for the Endpoints that users write.
//
// Invariant: the Endpoints of a Service without a selector have slices with the same
// addresses, one for each set of ports and family; other Endpoints have none of ours.
//
// It follows k8s.io/kubernetes pkg/controller/endpointslicemirroring v1.37.2.
package endpointslicemirroring

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "endpointslicemirroring"

// byEndpoints is an index of our EndpointSlices by the Endpoints that they mirror.
const byEndpoints = "endpointslicemirroring/endpoints"

// Reconciler reconciles Endpoints.
type Reconciler struct {
	engine.Host
	who engine.Identity
}

var _ engine.Reconciler = (*Reconciler)(nil)

// New returns a Reconciler. It must be called before the engine starts.
func New(host engine.Host) (*Reconciler, error) {
	if err := host.ValidateTeller(Name); err != nil {
		return nil, err
	}
	host.View.Track(engine.Services, engine.Endpoints)
	host.View.Index(engine.EndpointSlices, byEndpoints, func(o engine.Object) []string {
		if name := mirrored(o); name != "" {
			return []string{o.GetNamespace() + "/" + name}
		}
		return nil
	})
	return &Reconciler{Host: host, who: engine.ControllerIdentity("endpointslicemirroring-controller")}, nil
}

// mirrored is the name of the Endpoints that a slice of ours mirrors, empty for another's.
func mirrored(slice engine.Object) string {
	if slice.GetLabels()[discoveryv1.LabelManagedBy] != managedBy {
		return ""
	}
	return slice.GetLabels()[discoveryv1.LabelServiceName]
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

// Observe implements engine.Reconciler. Most Endpoints are of Services with a selector,
// which need no step.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	namespace, name := c.Object.GetNamespace(), c.Object.GetName()
	switch o := c.Object.(type) {
	case *corev1.Endpoints: //nolint:staticcheck // users write them still
	case *corev1.Service:
		old, _ := c.Old.(*corev1.Service)
		if c.Type == watch.Modified && old != nil && (old.Spec.Selector == nil) == (o.Spec.Selector == nil) {
			return nil
		}
	case *discoveryv1.EndpointSlice:
		if name = mirrored(o); name == "" || c.Type == watch.Added {
			return nil
		}
	default:
		return nil
	}
	if r.source(namespace, name) == nil && len(r.slices(namespace, name)) == 0 {
		return nil
	}
	return []engine.Key{{Controller: Name, Namespace: namespace, Name: name}}
}

// source returns the Endpoints of that name, if they are to be mirrored.
func (r *Reconciler) source(namespace, name string) *corev1.Endpoints { //nolint:staticcheck // users write them still
	object, ok := engine.Get[*corev1.Endpoints](r.View, engine.Endpoints, namespace, name) //nolint:staticcheck // as above
	if !ok || object.Labels[discoveryv1.LabelSkipMirror] == "true" || metav1.HasAnnotation(object.ObjectMeta, resourcelock.LeaderElectionRecordAnnotationKey) {
		return nil
	}
	service, ok := engine.Get[*corev1.Service](r.View, engine.Services, namespace, name)
	if !ok || service.Spec.Selector != nil {
		return nil
	}
	return object
}

func (r *Reconciler) slices(namespace, name string) []*discoveryv1.EndpointSlice {
	return engine.ByIndex[*discoveryv1.EndpointSlice](r.View, engine.EndpointSlices, byEndpoints, namespace+"/"+name)
}

// Reconcile implements engine.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, _ time.Time) (engine.Wake, error) {
	object := r.source(key.Namespace, key.Name)
	p := decide(object, r.slices(key.Namespace, key.Name), endpointsMax)
	for _, e := range p.Events {
		r.Recorder.Event(ctx, engine.Reference(object, "v1", "Endpoints"), corev1.EventTypeWarning, e.Reason, "%s", e.Message)
	}
	return engine.Wake{}, r.apply(ctx, p)
}

// apply carries p out. It stops at the first error; decide then looks afresh.
func (r *Reconciler) apply(ctx context.Context, p plan) error {
	for _, slice := range p.Create {
		_, err := r.API.Create(ctx, r.who, engine.EndpointSlices, slice)
		if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	for _, slice := range p.Update {
		if _, err := r.API.Update(ctx, r.who, engine.EndpointSlices, "", slice); err != nil {
			return err
		}
	}
	for _, slice := range p.Delete {
		err := r.API.Delete(ctx, r.who, engine.EndpointSlices, types.NamespacedName{Namespace: slice.Namespace, Name: slice.Name}, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}
