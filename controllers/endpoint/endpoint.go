// Package endpoint keeps the Endpoints of Services with a selector, which
// kubectl and old clients read beside EndpointSlices.
//
// Invariant: the Endpoints of a Service hold its Pods that have an address and
// have not ended, the ready ones apart from the others, as EndpointSlices do.
//
// It follows k8s.io/kubernetes pkg/controller/endpoint v1.37.2.
package endpoint

import (
	"context"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	upstream "k8s.io/endpointslice"
	endpointsliceutil "k8s.io/endpointslice/util"
	"k8s.io/kubernetes/pkg/api/v1/endpoints"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "endpoint"

// labelManagedBy and managedBy mark our Endpoints. Source: LabelManagedBy and
// ControllerName, k8s.io/kubernetes pkg/controller/endpoint v1.37.2.
const (
	labelManagedBy = "endpoints.kubernetes.io/managed-by"
	managedBy      = "endpoint-controller"
)

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
	host.View.Track(engine.Services, engine.Pods, engine.Endpoints)
	return &Reconciler{view: host.View, api: host.API, who: engine.ControllerIdentity("endpoint-controller")}, nil
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

// Observe implements engine.Reconciler.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	switch {
	case c.Resource == engine.Services, c.Resource == engine.Endpoints && c.Type == watch.Deleted:
		return []engine.Key{{Controller: Name, Namespace: c.Object.GetNamespace(), Name: c.Object.GetName()}}
	case c.Resource == engine.Pods:
		return r.keysOfPod(c)
	}
	return nil
}

// keysOfPod are the Services whose endpoints may change with a Pod.
func (r *Reconciler) keysOfPod(c engine.Commit) []engine.Key {
	services := slices.DeleteFunc(engine.List[*corev1.Service](r.view, engine.Services, c.Object.GetNamespace()), func(s *corev1.Service) bool {
		return s.Spec.Selector == nil
	})
	if len(services) == 0 { // before the Pod is looked at closely
		return nil
	}
	sets := []map[string]string{c.Object.GetLabels()}
	if c.Old != nil && c.Type == watch.Modified {
		changed := endpointsliceutil.GetPodUpdateProjectionKey(c.Old, c.Object)
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

// selects reports whether a Service takes Pods with these labels.
func selects(s *corev1.Service, set map[string]string) bool {
	return s.Spec.Type != corev1.ServiceTypeExternalName && s.Spec.Selector != nil && set != nil &&
		labels.SelectorFromValidatedSet(s.Spec.Selector).Matches(labels.Set(set))
}

// Reconcile implements engine.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, _ time.Time) (engine.Wake, error) {
	have, exists := engine.Get[*corev1.Endpoints](r.view, engine.Endpoints, key.Namespace, key.Name) //nolint:staticcheck // clients read them still
	s, ok := engine.Get[*corev1.Service](r.view, engine.Services, key.Namespace, key.Name)
	if !ok {
		if !exists {
			return engine.Wake{}, nil
		}
		err := r.api.Delete(ctx, r.who, engine.Endpoints, types.NamespacedName{Namespace: key.Namespace, Name: key.Name}, metav1.DeleteOptions{})
		if apierrors.IsNotFound(err) {
			err = nil
		}
		return engine.Wake{}, err
	}
	if s.Spec.Selector == nil || s.Spec.Type == corev1.ServiceTypeExternalName {
		return engine.Wake{}, nil
	}
	var pods []*corev1.Pod
	for _, pod := range engine.List[*corev1.Pod](r.view, engine.Pods, s.Namespace) {
		if selects(s, pod.Labels) && endpointsliceutil.ShouldPodBeInEndpoints(pod, s.Spec.PublishNotReadyAddresses) {
			pods = append(pods, pod)
		}
	}
	return engine.Wake{}, r.apply(ctx, decide(s, pods, have))
}

// apply writes what decide returned, nil for nothing.
func (r *Reconciler) apply(ctx context.Context, next *corev1.Endpoints) error { //nolint:staticcheck // as above
	if next == nil {
		return nil
	}
	if next.ResourceVersion != "" {
		_, err := r.api.Update(ctx, r.who, engine.Endpoints, "", next)
		return err
	}
	_, err := r.api.Create(ctx, r.who, engine.Endpoints, next)
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return nil
	}
	return err
}

// decide returns the Endpoints to write for a Service with these Pods, nil if
// have is right. It reads nothing but its arguments. Source:
// Controller.syncService, k8s.io/kubernetes pkg/controller/endpoint v1.37.2.
func decide(s *corev1.Service, pods []*corev1.Pod, have *corev1.Endpoints) *corev1.Endpoints { //nolint:staticcheck // as above
	subsets := subsetsOf(s, pods)
	set := endpointsLabels(s)
	if have != nil && maps.Equal(have.Labels, set) &&
		apiequality.Semantic.DeepEqual(endpoints.RepackSubsets(have.Subsets), subsets) {
		return nil
	}
	next := &corev1.Endpoints{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: s.Name}} //nolint:staticcheck // as above
	if have != nil {
		next = have.DeepCopy()
	}
	next.Subsets, next.Labels = subsets, set
	metav1.SetMetaDataAnnotation(&next.ObjectMeta, corev1.EndpointsLastChangeTriggerTime, trigger(s, pods).UTC().Format(time.RFC3339Nano))
	return next
}

// trigger is the newest change of a Pod's readiness, or the Service's creation.
//
// Deviation: upstream remembers which changes it has seen, and takes the oldest
// new one.
func trigger(s *corev1.Service, pods []*corev1.Pod) time.Time {
	at := s.CreationTimestamp.Time
	for _, pod := range pods {
		if _, c := podutil.GetPodCondition(&pod.Status, corev1.PodReady); c != nil && c.LastTransitionTime.After(at) {
			at = c.LastTransitionTime.Time
		}
	}
	return at
}

func endpointsLabels(s *corev1.Service) map[string]string {
	set := map[string]string{}
	maps.Copy(set, s.Labels)
	delete(set, corev1.IsHeadlessService)
	if s.Spec.ClusterIP == "" || s.Spec.ClusterIP == corev1.ClusterIPNone {
		set[corev1.IsHeadlessService] = ""
	}
	set[labelManagedBy] = managedBy
	return set
}

//nolint:staticcheck // as above
func subsetsOf(s *corev1.Service, pods []*corev1.Pod) []corev1.EndpointSubset {
	subsets := []corev1.EndpointSubset{}
	for _, pod := range pods {
		address := corev1.EndpointAddress{
			IP: pod.Status.PodIP, NodeName: &pod.Spec.NodeName,
			TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID},
		}
		if endpointsliceutil.ShouldSetHostname(pod, s) {
			address.Hostname = pod.Spec.Hostname
		}
		add := func(ports []corev1.EndpointPort) {
			if s.Spec.PublishNotReadyAddresses || podutil.IsPodReady(pod) {
				subsets = append(subsets, corev1.EndpointSubset{Addresses: []corev1.EndpointAddress{address}, Ports: ports})
				return
			}
			subsets = append(subsets, corev1.EndpointSubset{NotReadyAddresses: []corev1.EndpointAddress{address}, Ports: ports})
		}
		if len(s.Spec.Ports) == 0 && s.Spec.ClusterIP == corev1.ClusterIPNone {
			add(nil)
		}
		for i := range s.Spec.Ports {
			p := &s.Spec.Ports[i]
			if number, err := upstream.FindPort(pod, p); err == nil {
				add([]corev1.EndpointPort{{Name: p.Name, Port: int32(number), Protocol: p.Protocol, AppProtocol: p.AppProtocol}})
			}
		}
	}
	return endpoints.RepackSubsets(subsets)
}
