package network

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// Query answers as CoreDNS does with kubeadm's configuration. Source: plugin
// kubernetes of github.com/coredns/coredns, and the DNS specification of
// github.com/kubernetes/dns.
//
// Deviation: no name outside the cluster exists.
func (c *Cluster) Query(name string, t kernel.RecordType) kernel.Answer {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if t == kernel.PTR {
		return c.reverse(name)
	}
	rest, ok := strings.CutSuffix("."+name, "."+c.domain)
	if !ok {
		return kernel.Answer{Code: kernel.NXDOMAIN}
	}
	labels := strings.Split(strings.TrimPrefix(rest, "."), ".")
	found, exists := c.find(name, labels)
	if !exists {
		return kernel.Answer{Code: kernel.NXDOMAIN}
	}
	var records []kernel.Record
	for _, r := range found {
		if r.Type == t || r.Type == kernel.CNAME {
			records = append(records, r)
		}
	}
	return kernel.Answer{Code: kernel.NOERROR, Records: c.follow(records, t)}
}

// follow adds what the cluster knows of an alias's target.
func (c *Cluster) follow(records []kernel.Record, t kernel.RecordType) []kernel.Record {
	if len(records) != 1 || records[0].Type != kernel.CNAME || t == kernel.CNAME {
		return records
	}
	target := records[0].Value
	rest, ok := strings.CutSuffix(target, "."+c.domain)
	if !ok {
		return records
	}
	more, _ := c.find(target, strings.Split(rest, "."))
	for _, r := range more {
		if r.Type == t {
			records = append(records, r)
		}
	}
	return records
}

// find returns all records of a name, given as what is before the domain, and
// whether the name exists at all.
func (c *Cluster) find(name string, labels []string) ([]kernel.Record, bool) {
	n := len(labels)
	kind := labels[n-1]
	switch {
	case kind == "" && n == 1, n == 1 && (kind == "svc" || kind == "pod"):
		return nil, true // the zone itself
	case kind != "svc" && kind != "pod":
		return nil, false
	}
	namespace := labels[n-2]
	if _, ok := engine.Get[*corev1.Namespace](c.view, engine.Namespaces, "", namespace); !ok {
		return nil, false
	}
	switch {
	case n == 2:
		return nil, true
	case kind == "pod":
		return podRecord(name, labels[:n-2])
	}
	s, ok := engine.Get[*corev1.Service](c.view, engine.Services, namespace, labels[n-3])
	if !ok {
		return nil, false
	}
	switch {
	case n == 3:
		return c.service(name, s), true
	case n == 4 && headless(s):
		return c.endpoint(name, s, labels[0])
	case n == 5:
		return c.port(name, s, labels[0], labels[1])
	}
	return nil, false
}

// podRecord is that of 10-244-1-7.default.pod.cluster.local, which CoreDNS
// answers without a look at the Pods.
func podRecord(name string, labels []string) ([]kernel.Record, bool) {
	if len(labels) != 1 {
		return nil, false
	}
	addr, err := netip.ParseAddr(strings.ReplaceAll(labels[0], "-", "."))
	if err != nil {
		return nil, false
	}
	return []kernel.Record{{Name: name, Type: kernel.A, Value: addr.String()}}, true
}

// service are the records of a Service's own name.
func (c *Cluster) service(name string, s *corev1.Service) []kernel.Record {
	var out []kernel.Record
	switch {
	case s.Spec.Type == corev1.ServiceTypeExternalName:
		return []kernel.Record{{Name: name, Type: kernel.CNAME, Value: strings.TrimSuffix(s.Spec.ExternalName, ".")}}
	case headless(s):
		for _, e := range c.published(s) {
			out = append(out, kernel.Record{Name: name, Type: kernel.A, Value: e.address})
		}
	default:
		out = append(out, kernel.Record{Name: name, Type: kernel.A, Value: s.Spec.ClusterIP})
	}
	return append(out, c.srv(name, s, "", "")...)
}

// published is an endpoint of a headless Service.
type published struct {
	address, host string
	ports         []discoveryv1.EndpointPort
}

// published returns the ready endpoints of a headless Service, each once, by
// address.
func (c *Cluster) published(s *corev1.Service) []published {
	var all []published
	for _, slice := range c.slices(s.Namespace, s.Name) {
		for i := range slice.Endpoints {
			e := &slice.Endpoints[i]
			if !isReady(e) {
				continue
			}
			for _, address := range e.Addresses {
				all = append(all, published{address, endpointHost(e, address), slice.Ports})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b published) int { return cmp.Compare(a.address, b.address) })
	return slices.CompactFunc(all, func(a, b published) bool { return a.address == b.address })
}

// endpointHost is an endpoint's name below its Service.
func endpointHost(e *discoveryv1.Endpoint, address string) string {
	if e.Hostname != nil && *e.Hostname != "" {
		return *e.Hostname
	}
	return strings.NewReplacer(".", "-", ":", "-").Replace(address)
}

// endpoint are the records of one endpoint of a headless Service.
func (c *Cluster) endpoint(name string, s *corev1.Service, host string) ([]kernel.Record, bool) {
	var out []kernel.Record
	for _, e := range c.published(s) {
		if e.host == host {
			out = append(out, kernel.Record{Name: name, Type: kernel.A, Value: e.address})
		}
	}
	return out, len(out) > 0
}

// port are the records of _http._tcp.web.default.svc.cluster.local.
func (c *Cluster) port(name string, s *corev1.Service, port, protocol string) ([]kernel.Record, bool) {
	if !strings.HasPrefix(port, "_") || !strings.HasPrefix(protocol, "_") {
		return nil, false
	}
	out := c.srv(name, s, port[1:], protocol[1:])
	return out, len(out) > 0
}

// srv are a Service's ports of a name and protocol; of any if they are empty.
func (c *Cluster) srv(name string, s *corev1.Service, port, protocol string) []kernel.Record {
	target := s.Name + "." + s.Namespace + ".svc." + c.domain
	var out []kernel.Record
	for _, p := range s.Spec.Ports {
		if port != "" && (p.Name != port || !strings.EqualFold(string(p.Protocol), protocol)) {
			continue
		}
		if !headless(s) {
			out = append(out, kernel.Record{Name: name, Type: kernel.SRV, Value: fmt.Sprintf("0 100 %d %s", p.Port, target)})
			continue
		}
		for _, e := range c.published(s) {
			for _, q := range e.ports {
				if q.Port != nil && (q.Name == nil || *q.Name == p.Name) {
					out = append(out, kernel.Record{Name: name, Type: kernel.SRV, Value: fmt.Sprintf("0 50 %d %s.%s", *q.Port, e.host, target)})
				}
			}
		}
	}
	return out
}

// reverse answers 7.1.244.10.in-addr.arpa.
func (c *Cluster) reverse(name string) kernel.Answer {
	text, ok := strings.CutSuffix(name, ".in-addr.arpa")
	parts := strings.Split(text, ".")
	slices.Reverse(parts)
	addr, err := netip.ParseAddr(strings.Join(parts, "."))
	if !ok || err != nil {
		return kernel.Answer{Code: kernel.NXDOMAIN}
	}
	var out []kernel.Record
	add := func(host string) { out = append(out, kernel.Record{Name: name, Type: kernel.PTR, Value: host}) }
	for _, s := range engine.ByIndex[*corev1.Service](c.view, engine.Services, byAddress, addr.String()) {
		if slices.Contains(s.Spec.ClusterIPs, addr.String()) {
			add(s.Name + "." + s.Namespace + ".svc." + c.domain)
		}
	}
	for _, slice := range engine.ByIndex[*discoveryv1.EndpointSlice](c.view, engine.EndpointSlices, byAddress, addr.String()) {
		service := slice.Labels[discoveryv1.LabelServiceName]
		for i := range slice.Endpoints {
			if e := &slice.Endpoints[i]; service != "" && slices.Contains(e.Addresses, addr.String()) {
				add(endpointHost(e, addr.String()) + "." + service + "." + slice.Namespace + ".svc." + c.domain)
			}
		}
	}
	if len(out) == 0 {
		return kernel.Answer{Code: kernel.NXDOMAIN}
	}
	return kernel.Answer{Code: kernel.NOERROR, Records: out}
}
