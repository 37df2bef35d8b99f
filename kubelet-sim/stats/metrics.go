package stats

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/metrics/pkg/apis/metrics"
)

// Resolution is how often the kubelets are looked at. Source: the manifest of
// kubernetes-sigs/metrics-server, --metric-resolution.
const Resolution = 15 * time.Second

// freshMin is how long a container must have run before its first figures. Source:
// freshContainerMinMetricsResolution in kubernetes-sigs/metrics-server pkg/storage.
const freshMin = 10 * time.Second

// What a node uses beside its Pods: the kubelet, the runtime, the system. Units:
// thousandths of a core, bytes.
const (
	nodeMilliCPU = 96
	nodeMemory   = 612 << 20
)

// Metrics answers for metrics-server. Its methods may be called from any
// goroutine.
type Metrics struct {
	store *Store
	now   func() time.Time
	nodes []string
	draw  func(node string, scrape int64) uint64
}

// NewMetrics returns the metrics of the containers in store, which are on nodes;
// now is the virtual time, and draw gives numbers for what wavers.
func NewMetrics(store *Store, nodes []string, now func() time.Time, draw func(node string, scrape int64) uint64) (*Metrics, error) {
	if store == nil || now == nil || draw == nil {
		return nil, errors.New("stats: NewMetrics wants a store, the virtual time and a source of numbers")
	}
	return &Metrics{store: store, now: now, nodes: nodes, draw: draw}, nil
}

// PodMetrics returns what the Pods of a namespace use, of all if it is empty. A
// Pod of which a container has just started, or none runs, is not there. Source:
// podStorage in kubernetes-sigs/metrics-server pkg/storage.
func (m *Metrics) PodMetrics(_ context.Context, namespace string) ([]metrics.PodMetrics, error) {
	now := m.now()
	var out []metrics.PodMetrics
	for _, p := range m.store.list(namespace) {
		if one, ok := podMetrics(p, now); ok {
			out = append(out, one)
		}
	}
	return out, nil
}

// NodeMetrics returns what the nodes use: their Pods, and their system.
func (m *Metrics) NodeMetrics(context.Context) ([]metrics.NodeMetrics, error) {
	now := m.now()
	type sum struct{ cpu, memory int64 }
	pods := map[string]sum{}
	for _, p := range m.store.list("") {
		one, _ := podMetrics(p, now)
		s := pods[p.node]
		for i := range one.Containers {
			s.cpu += one.Containers[i].Usage.Cpu().ScaledValue(resource.Nano)
			s.memory += one.Containers[i].Usage.Memory().Value()
		}
		pods[p.node] = s
	}
	at := now.Truncate(Resolution)
	var out []metrics.NodeMetrics
	for _, name := range m.nodes {
		n := m.draw(name, scrapeAt(at))
		out = append(out, metrics.NodeMetrics{
			ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(now)},
			Timestamp:  metav1.NewTime(at), Window: metav1.Duration{Duration: Resolution},
			Usage: usage(wavering(nodeMilliCPU*1e6, n)+pods[name].cpu, wavering(nodeMemory, n>>32)+pods[name].memory),
		})
	}
	return out, nil
}

// podMetrics is false if nothing is known of the Pod yet.
func podMetrics(p podStats, now time.Time) (metrics.PodMetrics, bool) {
	out := metrics.PodMetrics{ObjectMeta: metav1.ObjectMeta{
		Name: p.name.Name, Namespace: p.name.Namespace, CreationTimestamp: metav1.NewTime(now),
	}}
	for _, c := range p.containers {
		m := c.at(now)
		if m.last.at.Equal(m.start) {
			continue // nobody has looked since it started
		}
		window := m.last.at.Sub(m.prev.at)
		if window < freshMin {
			return out, false
		}
		if out.Timestamp.IsZero() {
			out.Timestamp, out.Window = metav1.NewTime(m.last.at), metav1.Duration{Duration: window}
		}
		cpu, memory := int64((m.last.cpu-m.prev.cpu)*1000/(window/time.Millisecond)), m.last.memory
		if !m.usage.Exact {
			n := c.draw(scrapeAt(m.last.at))
			cpu, memory = wavering(cpu, n), wavering(memory, n>>32)
		}
		out.Containers = append(out.Containers, metrics.ContainerMetrics{Name: c.place.Container, Usage: usage(cpu, memory)})
	}
	return out, len(out.Containers) > 0
}

// scrapeAt numbers the looks at the kubelets.
func scrapeAt(t time.Time) int64 { return t.Unix() / int64(Resolution/time.Second) }

// wavering is v, or up to a thirty-second less.
func wavering(v int64, n uint64) int64 { return v - v/32*int64(n%256)/256 }

// usage is a list of what is used. Units: billionths of a core, bytes. Source:
// resourceUsage, kubernetes-sigs/metrics-server pkg/storage.
func usage(cpu, memory int64) corev1.ResourceList {
	bytes := resource.NewQuantity(memory>>10<<10, resource.BinarySI)
	return corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewScaledQuantity(cpu, resource.Nano),
		corev1.ResourceMemory: *bytes,
	}
}
