package endpointslicemirroring

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	endpointsliceutil "k8s.io/endpointslice/util"
	endpointsv1 "k8s.io/kubernetes/pkg/api/v1/endpoints"
	"k8s.io/kubernetes/pkg/apis/discovery/validation"
	netutils "k8s.io/utils/net"
)

// managedBy marks our slices, and endpointsMax is how many addresses of one subset are
// mirrored. Source: ControllerName in k8s.io/kubernetes
// pkg/controller/endpointslicemirroring v1.37.2, and the default of
// --mirroring-max-endpoints-per-subset.
const (
	managedBy    = "endpointslicemirroring-controller.k8s.io"
	endpointsMax = 1000
)

// plan is what is to be written, and told, in order.
type plan struct {
	Events                 []event
	Create, Update, Delete []*discoveryv1.EndpointSlice
}

// event is a Warning about Endpoints.
type event struct{ Reason, Message string }

// group is what one slice is to hold: the addresses of one family with the same ports.
type group struct {
	family discoveryv1.AddressType
	ports  []discoveryv1.EndpointPort
	// endpoints are each once, in the order of the Endpoints.
	endpoints []*discoveryv1.Endpoint
	set       endpointsliceutil.EndpointSet
}

// key is upstream's addrTypePortMapKey.
func key(family discoveryv1.AddressType, ports []discoveryv1.EndpointPort) string {
	return fmt.Sprintf("%s-%s", family, endpointsliceutil.NewPortMapKey(ports))
}

// decide returns what makes have the slices that mirror object; nil has none. At most
// most addresses of a subset are mirrored. Upstream: reconciler.reconcile.
func decide(object *corev1.Endpoints, have []*discoveryv1.EndpointSlice, most int) plan { //nolint:staticcheck // users write them still
	if object == nil {
		return plan{Delete: have}
	}
	wanted, order, p := collect(object, most)
	byKey := map[string][]*discoveryv1.EndpointSlice{}
	for _, slice := range have {
		k := key(slice.AddressType, slice.Ports)
		byKey[k] = append(byKey[k], slice)
	}
	for _, k := range order {
		p.fit(object, wanted[k], byKey[k])
	}
	for _, slice := range have {
		if wanted[key(slice.AddressType, slice.Ports)] == nil {
			p.Delete = append(p.Delete, slice)
		}
	}
	p.recycle()
	if object.DeletionTimestamp != nil {
		p.Create = nil
	}
	return p
}

// collect groups the addresses. The order of the keys is that of the subsets.
func collect(object *corev1.Endpoints, most int) (wanted map[string]*group, order []string, p plan) { //nolint:staticcheck // as above
	wanted = map[string]*group{}
	invalid, skipped := 0, 0
	for _, subset := range endpointsv1.RepackSubsets(object.Subsets) {
		ports := portsOf(subset.Ports)
		for _, family := range []discoveryv1.AddressType{discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6} {
			if k := key(family, ports); wanted[k] == nil {
				wanted[k] = &group{family: family, ports: ports, set: endpointsliceutil.EndpointSet{}}
				order = append(order, k)
			}
		}
		added := 0
		for i, address := range slices.Concat(subset.Addresses, subset.NotReadyAddresses) {
			if added >= most {
				break
			}
			e, family := endpointOf(address, i < len(subset.Addresses))
			if e == nil {
				invalid++
				continue
			}
			wanted[key(family, ports)].add(e)
			added++
		}
		skipped += len(subset.Addresses) + len(subset.NotReadyAddresses) - added
	}
	if invalid > 0 {
		p.Events = append(p.Events, event{"InvalidIPAddress", fmt.Sprintf("Skipped %d invalid IP addresses when mirroring to EndpointSlices", invalid)})
	}
	if skipped > invalid {
		p.Events = append(p.Events, event{"TooManyAddressesToMirror", fmt.Sprintf(
			"A max of %d addresses can be mirrored to EndpointSlices per Endpoints subset. %d addresses were skipped", most, skipped)})
	}
	return wanted, order, p
}

// add adds an endpoint. One that is there already is replaced, as upstream's set does.
func (g *group) add(e *discoveryv1.Endpoint) {
	if old := g.set.Get(e); old != nil {
		g.endpoints[slices.Index(g.endpoints, old)] = e
	} else {
		g.endpoints = append(g.endpoints, e)
	}
	g.set.Insert(e)
}

func portsOf(ports []corev1.EndpointPort) []discoveryv1.EndpointPort {
	out := []discoveryv1.EndpointPort{}
	for i := range ports {
		p := ports[i].DeepCopy()
		out = append(out, discoveryv1.EndpointPort{Name: &p.Name, Port: &p.Port, Protocol: &p.Protocol, AppProtocol: p.AppProtocol})
	}
	return out
}

// endpointOf is nil for an address that is none.
func endpointOf(address corev1.EndpointAddress, ready bool) (*discoveryv1.Endpoint, discoveryv1.AddressType) {
	ip := netutils.ParseIPSloppy(address.IP)
	if ip == nil {
		return nil, ""
	}
	family := discoveryv1.AddressTypeIPv4
	if ip.To4() == nil {
		family = discoveryv1.AddressTypeIPv6
	}
	e := &discoveryv1.Endpoint{
		Addresses: []string{ip.String()}, Conditions: discoveryv1.EndpointConditions{Ready: &ready},
		TargetRef: address.TargetRef, NodeName: address.NodeName,
	}
	if address.Hostname != "" {
		e.Hostname = &address.Hostname
	}
	return e, family
}

// fit plans one slice for a group, of those that there are for it. Upstream:
// reconcileByPortMapping.
func (p *plan) fit(object *corev1.Endpoints, g *group, have []*discoveryv1.EndpointSlice) { //nolint:staticcheck // as above
	if len(g.endpoints) == 0 {
		p.Delete = append(p.Delete, have...)
		return
	}
	next := g.slice(object)
	if len(have) == 0 {
		p.Create = append(p.Create, next)
		return
	}
	p.Delete = append(p.Delete, have[1:]...)
	if same(have[0], next, g.set, object) {
		return
	}
	p.Update = append(p.Update, replaced(have[0], next))
}

// slice returns a new one with the group's endpoints.
func (g *group) slice(object *corev1.Endpoints) *discoveryv1.EndpointSlice { //nolint:staticcheck // as above
	s := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: object.Namespace, GenerateName: object.Name + "-", Labels: map[string]string{}, Annotations: map[string]string{},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(object, corev1.SchemeGroupVersion.WithKind("Endpoints"))},
		},
		Ports: g.ports, AddressType: g.family,
	}
	if len(validation.ValidateEndpointSliceName(s.GenerateName, true)) != 0 {
		s.GenerateName = object.Name
	}
	maps.Copy(s.Labels, object.Labels)
	s.Labels[discoveryv1.LabelServiceName], s.Labels[discoveryv1.LabelManagedBy] = object.Name, managedBy
	maps.Copy(s.Annotations, object.Annotations)
	delete(s.Annotations, corev1.EndpointsLastChangeTriggerTime)
	delete(s.Annotations, corev1.LastAppliedConfigAnnotation)
	for _, e := range g.endpoints {
		s.Endpoints = append(s.Endpoints, *e)
	}
	return s
}

// same reports whether have says what next would.
func same(have, next *discoveryv1.EndpointSlice, set endpointsliceutil.EndpointSet, object *corev1.Endpoints) bool { //nolint:staticcheck // as above
	if len(have.Endpoints) != len(next.Endpoints) ||
		!apiequality.Semantic.DeepEqual(have.Labels, next.Labels) || !apiequality.Semantic.DeepEqual(have.Annotations, next.Annotations) {
		return false
	}
	for i := range have.Endpoints {
		want := set.Get(have.Endpoints[i].DeepCopy()) // it sorts addresses
		if want == nil || !endpointsliceutil.EndpointsEqualBeyondHash(want, &have.Endpoints[i]) {
			return false
		}
	}
	return !slices.ContainsFunc(have.OwnerReferences, func(o metav1.OwnerReference) bool {
		return o.Kind == "Endpoints" && o.Name == object.Name && o.UID != object.UID
	})
}

// replaced returns have with what next says.
func replaced(have, next *discoveryv1.EndpointSlice) *discoveryv1.EndpointSlice {
	out := have.DeepCopy()
	out.Labels, out.Annotations, out.OwnerReferences = next.Labels, next.Annotations, next.OwnerReferences
	out.Ports, out.Endpoints = next.Ports, next.Endpoints
	return out
}

// recycle turns slices that would be deleted into those that would be created, of the
// same family. Upstream: recycleSlices.
func (p *plan) recycle() {
	p.Create = slices.DeleteFunc(p.Create, func(next *discoveryv1.EndpointSlice) bool {
		at := slices.IndexFunc(p.Delete, func(old *discoveryv1.EndpointSlice) bool { return old.AddressType == next.AddressType })
		if at < 0 {
			return false
		}
		p.Update = append(p.Update, replaced(p.Delete[at], next))
		p.Delete = slices.Delete(slices.Clone(p.Delete), at, at+1)
		return true
	})
}
