// Package endpointslice keeps the EndpointSlices of Services with a selector.
//
// Invariant: the slices of a Service hold exactly its Pods that have an address
// and have not ended, each once, grouped by the numbers of the Service's ports;
// a Service without such Pods has one empty slice.
//
// It follows k8s.io/kubernetes pkg/controller/endpointslice and
// k8s.io/endpointslice v0.37.2.
//
// Deviation: IPv4 only, no topology hints.
package endpointslice

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	endpointsliceutil "k8s.io/endpointslice/util"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "endpointslice"

// byService is an index of the EndpointSlices of a Service.
const byService = "endpointslice/service"

// Reconciler reconciles Services.
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
	host.View.Track(engine.Services, engine.Pods, engine.Nodes)
	host.View.Index(engine.EndpointSlices, byService, func(o engine.Object) []string {
		if name := managedFor(o); name != "" {
			return []string{o.GetNamespace() + "/" + name}
		}
		return nil
	})
	return &Reconciler{view: host.View, api: host.API, who: engine.ControllerIdentity("endpointslice-controller")}, nil
}

// managedFor is the Service of a slice that is ours, empty for another's.
func managedFor(slice engine.Object) string {
	if slice.GetLabels()[discoveryv1.LabelManagedBy] != managedBy {
		return ""
	}
	return slice.GetLabels()[discoveryv1.LabelServiceName]
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

// Observe implements engine.Reconciler.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	switch o := c.Object.(type) {
	case *corev1.Service:
		if c.Type != watch.Deleted { // the garbage collector deletes the slices
			return []engine.Key{{Controller: Name, Namespace: o.Namespace, Name: o.Name}}
		}
	case *discoveryv1.EndpointSlice:
		if name := managedFor(o); name != "" && c.Type != watch.Added {
			return []engine.Key{{Controller: Name, Namespace: o.Namespace, Name: name}}
		}
	case *corev1.Pod:
		return r.keysOfPod(o, c)
	}
	return nil
}

// keysOfPod are the Services whose endpoints may change with a Pod.
func (r *Reconciler) keysOfPod(pod *corev1.Pod, c engine.Commit) []engine.Key {
	services := slices.DeleteFunc(engine.List[*corev1.Service](r.view, engine.Services, pod.Namespace), func(s *corev1.Service) bool {
		return s.Spec.Selector == nil
	})
	if len(services) == 0 { // before the Pod is looked at closely
		return nil
	}
	sets := []map[string]string{pod.Labels}
	if old, ok := c.Old.(*corev1.Pod); ok && c.Type == watch.Modified {
		changed := endpointsliceutil.GetPodUpdateProjectionKey(old, pod)
		if changed == nil {
			return nil
		}
		sets = append(sets, changed.OldLabels)
	}
	var keys []engine.Key
	for _, s := range services {
		if slices.ContainsFunc(sets, func(set map[string]string) bool { return selects(s, set) }) {
			keys = append(keys, engine.Key{Controller: Name, Namespace: s.Namespace, Name: s.Name})
		}
	}
	return keys
}

// selects reports whether a Service takes Pods with these labels. One without a
// selector takes none.
func selects(s *corev1.Service, set map[string]string) bool {
	return s.Spec.Type != corev1.ServiceTypeExternalName && s.Spec.Selector != nil && set != nil &&
		labels.SelectorFromValidatedSet(s.Spec.Selector).Matches(labels.Set(set))
}

// Reconcile implements engine.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, _ time.Time) (engine.Wake, error) {
	s, ok := engine.Get[*corev1.Service](r.view, engine.Services, key.Namespace, key.Name)
	if !ok || s.Spec.Selector == nil || s.Spec.Type == corev1.ServiceTypeExternalName {
		return engine.Wake{}, nil
	}
	var endpoints []endpoint
	for _, pod := range engine.List[*corev1.Pod](r.view, engine.Pods, s.Namespace) {
		if !selects(s, pod.Labels) || !endpointsliceutil.ShouldPodBeInEndpoints(pod, true) {
			continue
		}
		n, known := engine.Get[*corev1.Node](r.view, engine.Nodes, "", pod.Spec.NodeName)
		if known || s.Spec.PublishNotReadyAddresses {
			endpoints = append(endpoints, newEndpoint(s, pod, n))
		}
	}
	have := engine.ByIndex[*discoveryv1.EndpointSlice](r.view, engine.EndpointSlices, byService, key.Namespace+"/"+key.Name)
	return engine.Wake{}, r.apply(ctx, decide(s, endpoints, have))
}

// apply carries p out. It stops at the first error; decide then looks afresh.
func (r *Reconciler) apply(ctx context.Context, p plan) error {
	for _, slice := range p.Create {
		_, err := r.api.Create(ctx, r.who, engine.EndpointSlices, slice)
		if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	for _, slice := range p.Update {
		if _, err := r.api.Update(ctx, r.who, engine.EndpointSlices, "", slice); err != nil {
			return err
		}
	}
	for _, slice := range p.Delete {
		err := r.api.Delete(ctx, r.who, engine.EndpointSlices, types.NamespacedName{Namespace: slice.Namespace, Name: slice.Name}, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}
