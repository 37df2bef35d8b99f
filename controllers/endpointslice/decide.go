package endpointslice

import (
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	upstream "k8s.io/endpointslice"
	endpointsliceutil "k8s.io/endpointslice/util"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
)

// managedBy marks our slices. Source: controllerName in k8s.io/kubernetes
// pkg/controller/endpointslice v1.37.2.
const managedBy = "endpointslice-controller.k8s.io"

// endpointsMax is how many endpoints a slice holds. Source: the default of
// kube-controller-manager's --max-endpoints-per-slice.
const endpointsMax = 100

// endpoint is a Pod as a Service sees it.
type endpoint struct {
	discoveryv1.Endpoint
	Ports []discoveryv1.EndpointPort
	// Changed is when the Pod last became ready, or ceased to be.
	Changed time.Time
}

// newEndpoint describes a Pod; n is nil if its Node is gone. Source:
// podToEndpoint and getEndpointPorts in k8s.io/endpointslice v0.37.2.
func newEndpoint(s *corev1.Service, pod *corev1.Pod, n *corev1.Node) endpoint {
	serving := endpointsliceutil.IsPodReady(pod)
	terminating := pod.DeletionTimestamp != nil
	ready := s.Spec.PublishNotReadyAddresses || serving && !terminating
	e := endpoint{Endpoint: discoveryv1.Endpoint{
		Addresses:  []string{pod.Status.PodIP},
		Conditions: discoveryv1.EndpointConditions{Ready: &ready, Serving: &serving, Terminating: &terminating},
		TargetRef:  &corev1.ObjectReference{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID},
	}}
	if pod.Spec.NodeName != "" {
		e.NodeName = &pod.Spec.NodeName
	}
	if n != nil && n.Labels[corev1.LabelTopologyZone] != "" {
		zone := n.Labels[corev1.LabelTopologyZone]
		e.Zone = &zone
	}
	if endpointsliceutil.ShouldSetHostname(pod, s) {
		e.Hostname = &pod.Spec.Hostname
	}
	if _, c := podutil.GetPodCondition(&pod.Status, corev1.PodReady); c != nil {
		e.Changed = c.LastTransitionTime.Time
	}
	for i := range s.Spec.Ports {
		p := &s.Spec.Ports[i]
		if number, err := upstream.FindPort(pod, p); err == nil {
			n := int32(number)
			e.Ports = append(e.Ports, discoveryv1.EndpointPort{Name: &p.Name, Port: &n, Protocol: &p.Protocol, AppProtocol: p.AppProtocol})
		}
	}
	return e
}

// plan is what to write.
type plan struct {
	Create, Update, Delete []*discoveryv1.EndpointSlice
}

// group are the endpoints whose Pods have the same ports.
type group struct {
	key       endpointsliceutil.PortMapKey
	ports     []discoveryv1.EndpointPort
	endpoints []endpoint
}

// groups puts endpoints together by their ports, in the order of the first of
// each.
func groups(endpoints []endpoint) []*group {
	var all []*group
	for _, e := range endpoints {
		key := endpointsliceutil.NewPortMapKey(e.Ports)
		i := slices.IndexFunc(all, func(g *group) bool { return g.key == key })
		if i < 0 {
			i = len(all)
			all = append(all, &group{key: key, ports: e.Ports})
		}
		all[i].endpoints = append(all[i].endpoints, e)
	}
	return all
}

// decide brings the slices that a Service has in line with its endpoints. It
// reads nothing but its arguments. Source: Reconciler.reconcileByAddressType in
// k8s.io/endpointslice v0.37.2.
func decide(s *corev1.Service, endpoints []endpoint, have []*discoveryv1.EndpointSlice) plan {
	var p plan
	byPorts := map[endpointsliceutil.PortMapKey][]*discoveryv1.EndpointSlice{}
	for _, slice := range have {
		if metav1.IsControlledBy(slice, s) {
			key := endpointsliceutil.NewPortMapKey(slice.Ports)
			byPorts[key] = append(byPorts[key], slice)
		} else {
			p.Delete = append(p.Delete, slice)
		}
	}
	trigger := s.CreationTimestamp.Time
	for _, e := range endpoints {
		if e.Changed.After(trigger) {
			trigger = e.Changed
		}
	}
	for _, g := range groups(endpoints) {
		p.addGroup(s, g, byPorts[g.key], trigger)
		delete(byPorts, g.key)
	}
	for _, slice := range have {
		if _, left := byPorts[endpointsliceutil.NewPortMapKey(slice.Ports)]; left && metav1.IsControlledBy(slice, s) {
			p.Delete = append(p.Delete, slice)
		}
	}
	p.placeholder(s, have, trigger)
	return p.reuse(s)
}

// addGroup distributes a group over its slices: an endpoint stays where it is,
// new ones fill the slices that change anyway, then new slices.
func (p *plan) addGroup(s *corev1.Service, g *group, have []*discoveryv1.EndpointSlice, trigger time.Time) {
	wanted := map[string]endpoint{}
	var order []string
	for _, e := range g.endpoints {
		wanted[endpointID(&e.Endpoint)] = e
		order = append(order, endpointID(&e.Endpoint))
	}
	var update, same []*discoveryv1.EndpointSlice
	for _, slice := range have {
		next := slice.DeepCopy()
		next.Endpoints, next.Labels = nil, sliceLabels(s)
		for i := range slice.Endpoints {
			id := endpointID(&slice.Endpoints[i])
			if e, ok := wanted[id]; ok {
				next.Endpoints = append(next.Endpoints, e.Endpoint)
				delete(wanted, id)
			}
		}
		switch {
		case len(next.Endpoints) == 0:
			p.Delete = append(p.Delete, slice)
		case apiequality.Semantic.DeepEqual(slice.Endpoints, next.Endpoints) && maps.Equal(slice.Labels, next.Labels):
			same = append(same, next)
		default:
			update = append(update, next)
		}
	}
	var rest []discoveryv1.Endpoint
	for _, id := range order {
		if e, ok := wanted[id]; ok {
			rest = append(rest, e.Endpoint)
		}
	}
	for _, slice := range update {
		n := min(endpointsMax-len(slice.Endpoints), len(rest))
		slice.Endpoints, rest = append(slice.Endpoints, rest[:n]...), rest[n:]
	}
	for len(rest) > 0 {
		n := min(endpointsMax, len(rest))
		i := slices.IndexFunc(same, func(o *discoveryv1.EndpointSlice) bool { return len(o.Endpoints)+n <= endpointsMax })
		var slice *discoveryv1.EndpointSlice
		if i >= 0 {
			slice = same[i]
			same = slices.Delete(same, i, i+1)
			update = append(update, slice)
		} else {
			slice = newSlice(s, g.ports)
			p.Create = append(p.Create, setTrigger(slice, trigger))
		}
		slice.Endpoints, rest = append(slice.Endpoints, rest[:n]...), rest[n:]
	}
	for _, slice := range update {
		p.Update = append(p.Update, setTrigger(slice, trigger))
	}
}

// placeholder leaves a Service without endpoints one empty slice.
func (p *plan) placeholder(s *corev1.Service, have []*discoveryv1.EndpointSlice, trigger time.Time) {
	if len(have) > len(p.Delete) || len(p.Create) > 0 {
		return
	}
	if len(p.Delete) == 1 {
		old := p.Delete[0]
		if metav1.IsControlledBy(old, s) && len(old.Endpoints) == 0 && len(old.Ports) == 0 && maps.Equal(old.Labels, sliceLabels(s)) {
			p.Delete = nil
			return
		}
	}
	p.Create = append(p.Create, setTrigger(newSlice(s, nil), trigger))
}

// reuse makes updates of those that would be deleted of what would be created.
// Source: Reconciler.finalize, k8s.io/endpointslice v0.37.2.
func (p plan) reuse(s *corev1.Service) plan {
	var left []*discoveryv1.EndpointSlice
	for _, old := range p.Delete {
		if len(p.Create) == 0 || !metav1.IsControlledBy(old, s) {
			left = append(left, old)
			continue
		}
		next := p.Create[len(p.Create)-1]
		p.Create = p.Create[:len(p.Create)-1]
		next.Name, next.GenerateName, next.UID, next.ResourceVersion = old.Name, old.GenerateName, old.UID, old.ResourceVersion
		p.Update = append(p.Update, next)
	}
	p.Delete = left
	return p
}

// endpointID tells endpoints of one slice apart.
func endpointID(e *discoveryv1.Endpoint) string {
	id := strings.Join(e.Addresses, ",")
	if e.TargetRef != nil {
		id += "/" + string(e.TargetRef.UID)
	}
	return id
}

func newSlice(s *corev1.Service, ports []discoveryv1.EndpointPort) *discoveryv1.EndpointSlice {
	return &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.Namespace, GenerateName: s.Name + "-", Labels: sliceLabels(s),
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(s, corev1.SchemeGroupVersion.WithKind("Service"))},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{},
		Ports:       ports,
	}
}

// sliceLabels are the Service's and our own. Source: setEndpointSliceLabels,
// k8s.io/endpointslice v0.37.2.
func sliceLabels(s *corev1.Service) map[string]string {
	set := map[string]string{}
	maps.Copy(set, s.Labels)
	delete(set, corev1.IsHeadlessService)
	if s.Spec.ClusterIP == "" || s.Spec.ClusterIP == corev1.ClusterIPNone {
		set[corev1.IsHeadlessService] = ""
	}
	set[discoveryv1.LabelServiceName] = s.Name
	set[discoveryv1.LabelManagedBy] = managedBy
	return set
}

// setTrigger notes what has made us write.
//
// Deviation: the newest change of a Pod's readiness, or the Service's creation;
// upstream remembers which changes it has seen, and takes the oldest new one.
func setTrigger(slice *discoveryv1.EndpointSlice, at time.Time) *discoveryv1.EndpointSlice {
	metav1.SetMetaDataAnnotation(&slice.ObjectMeta, corev1.EndpointsLastChangeTriggerTime, at.UTC().Format(time.RFC3339Nano))
	return slice
}
