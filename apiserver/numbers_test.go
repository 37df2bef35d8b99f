package apiserver

import (
	"net"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// TestServiceNumbersFollowTheStore tells the life of a Service that another
// server writes.
func TestServiceNumbersFollowTheStore(t *testing.T) {
	services, err := ParseServiceRange("")
	if err != nil {
		t.Fatal(err)
	}
	n := newServiceNumbers(services, nil)
	ip := net.ParseIP("10.96.7.7")
	service := func(address string, nodePort int32) *corev1.Service {
		return &corev1.Service{ObjectMeta: metav1.ObjectMeta{UID: types.UID("one")}, Spec: corev1.ServiceSpec{
			ClusterIPs: []string{address}, Ports: []corev1.ServicePort{{NodePort: nodePort}},
		}}
	}
	for _, step := range []struct {
		what      string
		event     watch.EventType
		service   *corev1.Service
		has, port bool
	}{
		{"created, it has both", watch.Added, service(ip.String(), nodePortFirst+5), true, true},
		{"changed in something else, it has them still", watch.Modified, service(ip.String(), nodePortFirst+5), true, true},
		{"without a node port, that is free", watch.Modified, service(ip.String(), 0), true, false},
		{"with one again, that is taken", watch.Modified, service(ip.String(), nodePortFirst+5), true, true},
		{"deleted, it has nothing", watch.Deleted, service(ip.String(), nodePortFirst+5), false, false},
		{"headless, it never had", watch.Added, service(corev1.ClusterIPNone, 0), false, false},
	} {
		n.observe(step.event, step.service)
		// The registry releases what it thinks it has claimed: that frees nothing.
		if err := n.ips.Release(ip); err != nil {
			t.Fatal(err)
		}
		if n.ips.Has(ip) != step.has || n.ports.Has(5) != step.port {
			t.Errorf("%s: the address is taken: %v, the port: %v; want %v, %v", step.what, n.ips.Has(ip), n.ports.Has(5), step.has, step.port)
		}
	}
}

// TestServiceNumbersOfTwo: one of two Services that were given the same numbers, by
// two servers at once, lets go of them; the other one has them still.
func TestServiceNumbersOfTwo(t *testing.T) {
	services, err := ParseServiceRange("")
	if err != nil {
		t.Fatal(err)
	}
	n := newServiceNumbers(services, nil)
	ip := net.ParseIP("10.96.7.7")
	service := func(uid types.UID) *corev1.Service {
		return &corev1.Service{ObjectMeta: metav1.ObjectMeta{UID: uid}, Spec: corev1.ServiceSpec{
			ClusterIPs: []string{ip.String()},
			Ports:      []corev1.ServicePort{{Protocol: corev1.ProtocolTCP, NodePort: nodePortFirst + 5}, {Protocol: corev1.ProtocolUDP, NodePort: nodePortFirst + 5}},
		}}
	}
	for _, step := range []struct {
		event watch.EventType
		uid   types.UID
		has   bool
	}{
		{watch.Added, "one", true}, {watch.Added, "two", true},
		{watch.Added, "two", true}, // a watch that begins anew tells it again
		{watch.Deleted, "one", true}, {watch.Deleted, "two", false},
	} {
		n.observe(step.event, service(step.uid))
		if n.ips.Has(ip) != step.has || n.ports.Has(5) != step.has {
			t.Errorf("%s %s: the address is taken: %v, the port: %v; want %v", step.event, step.uid, n.ips.Has(ip), n.ports.Has(5), step.has)
		}
	}
	if free := n.ports.Free(); free != nodePortRangeSize {
		t.Errorf("%d of %d ports are free in the end", free, nodePortRangeSize)
	}
}
