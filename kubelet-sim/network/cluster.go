package network

import (
	"net/netip"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Cluster is the network of one cluster. It belongs to the engine's goroutine.
type Cluster struct {
	view   *engine.View
	domain string
}

// The names of the indexes that New adds to the View.
const (
	byAddress = "network/address"
	byPort    = "network/nodePort"
	byService = "network/service"
)

// New returns the network that a View shows. domain is the cluster's, for
// example "cluster.local". It must be called before the engine starts.
func New(view *engine.View, domain string) *Cluster {
	view.Track(engine.Namespaces)
	view.Index(engine.Services, byAddress, func(o engine.Object) []string { return serviceAddresses(o.(*corev1.Service)) })
	view.Index(engine.Services, byPort, func(o engine.Object) []string { return nodePorts(o.(*corev1.Service)) })
	view.Index(engine.EndpointSlices, byService, func(o engine.Object) []string {
		if name := o.GetLabels()[discoveryv1.LabelServiceName]; name != "" {
			return []string{o.GetNamespace() + "/" + name}
		}
		return nil
	})
	view.Index(engine.EndpointSlices, byAddress, func(o engine.Object) []string {
		var all []string
		for _, e := range o.(*discoveryv1.EndpointSlice).Endpoints {
			all = append(all, e.Addresses...)
		}
		return all
	})
	return &Cluster{view: view, domain: domain}
}

func headless(s *corev1.Service) bool { return s.Spec.ClusterIP == corev1.ClusterIPNone }

// serviceAddresses are all that lead to a Service.
func serviceAddresses(s *corev1.Service) []string {
	if headless(s) {
		return nil
	}
	all := append([]string{}, s.Spec.ClusterIPs...)
	all = append(all, s.Spec.ExternalIPs...)
	for _, in := range s.Status.LoadBalancer.Ingress {
		if in.IP != "" {
			all = append(all, in.IP)
		}
	}
	return all
}

func nodePorts(s *corev1.Service) []string {
	var all []string
	for _, p := range s.Spec.Ports {
		if p.NodePort != 0 {
			all = append(all, strconv.Itoa(int(p.NodePort)))
		}
	}
	return all
}

// slices are a Service's, by name.
func (c *Cluster) slices(namespace, service string) []*discoveryv1.EndpointSlice {
	return engine.ByIndex[*discoveryv1.EndpointSlice](c.view, engine.EndpointSlices, byService, namespace+"/"+service)
}

// isReady: an endpoint that says nothing is ready.
func isReady(e *discoveryv1.Endpoint) bool { return e.Conditions.Ready == nil || *e.Conditions.Ready }

// endpoints are those of a Service's port that traffic goes to, in the order of
// its EndpointSlices: the ready ones or, where there is none, those that still
// serve while they terminate. Source: categorizeEndpoints in k8s.io/kubernetes
// pkg/proxy v1.37.2.
func (c *Cluster) endpoints(s *corev1.Service, port *corev1.ServicePort) []netip.AddrPort {
	var ready, terminating []netip.AddrPort
	for _, slice := range c.slices(s.Namespace, s.Name) {
		number := slicePort(slice, port)
		if number == 0 {
			continue
		}
		for i := range slice.Endpoints {
			e := &slice.Endpoints[i]
			addr, err := netip.ParseAddr(e.Addresses[0])
			if err != nil {
				continue
			}
			to := netip.AddrPortFrom(addr, number)
			switch {
			case isReady(e):
				ready = append(ready, to)
			case isTrue(e.Conditions.Serving) && isTrue(e.Conditions.Terminating):
				terminating = append(terminating, to)
			}
		}
	}
	if len(ready) == 0 {
		return terminating
	}
	return ready
}

func isTrue(b *bool) bool { return b != nil && *b }

// slicePort is the number of a Service's port in an EndpointSlice, 0 if it has
// none.
func slicePort(slice *discoveryv1.EndpointSlice, port *corev1.ServicePort) uint16 {
	for _, p := range slice.Ports {
		name, protocol := "", corev1.ProtocolTCP
		if p.Name != nil {
			name = *p.Name
		}
		if p.Protocol != nil {
			protocol = *p.Protocol
		}
		if p.Port != nil && name == port.Name && protocol == port.Protocol {
			return uint16(*p.Port)
		}
	}
	return 0
}
