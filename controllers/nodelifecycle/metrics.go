package nodelifecycle

import (
	"errors"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/component-base/metrics"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// variables are what upstream tells of its zones. Its package keeps them to itself,
// so they are made again here, with its names and words.
// Source: metrics.go, k8s.io/kubernetes pkg/controller/nodelifecycle v1.37.2.
//
// Deviation: the two histograms of how long a look at the Nodes takes are left out;
// nobody looks at all of them.
type variables struct {
	health, size, unhealthy *metrics.GaugeVec
	evictions               *metrics.CounterVec
}

// newVariables registers them, or finds those of another cluster in this process.
func newVariables() (variables, error) {
	gauge := func(name, help string) (*metrics.GaugeVec, error) {
		return engine.Registered(metrics.NewGaugeVec(&metrics.GaugeOpts{
			Subsystem: "node_collector", Name: name, Help: help, StabilityLevel: metrics.ALPHA,
		}, []string{"zone"}))
	}
	health, err1 := gauge("zone_health", "Gauge measuring percentage of healthy nodes per zone.")
	size, err2 := gauge("zone_size", "Gauge measuring number of registered Nodes per zones.")
	unhealthy, err3 := gauge("unhealthy_nodes_in_zone", "Gauge measuring number of not Ready Nodes per zones.")
	evictions, err4 := engine.Registered(metrics.NewCounterVec(&metrics.CounterOpts{
		Subsystem: "node_collector", Name: "evictions_total", StabilityLevel: metrics.STABLE,
		Help: "Number of Node evictions that happened since current instance of NodeController started.",
	}, []string{"zone"}))
	return variables{health, size, unhealthy, evictions}, errors.Join(err1, err2, err3, err4)
}

// tell sets the gauges to what the zones are, and to nothing for those that are
// gone. Source: Controller.handleDisruption, k8s.io/kubernetes pkg/controller/nodelifecycle
// v1.37.2.
func (v variables) tell(counted map[string][]*corev1.Node, before zones) {
	for _, key := range slices.Sorted(maps.Keys(before.ByKey)) {
		if _, there := counted[key]; !there {
			v.set(key, 0, 0)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(counted)) {
		nodes := counted[key]
		v.evictions.WithLabelValues(key).Add(0)
		unready := 0
		for _, node := range nodes {
			if readiness(node) != corev1.ConditionTrue {
				unready++
			}
		}
		v.set(key, len(nodes), unready)
	}
}

func (v variables) set(zone string, size, unhealthy int) {
	healthy := 100.0
	if size > 0 {
		healthy = float64(100*(size-unhealthy)) / float64(size)
	}
	v.size.WithLabelValues(zone).Set(float64(size))
	v.health.WithLabelValues(zone).Set(healthy)
	v.unhealthy.WithLabelValues(zone).Set(float64(unhealthy))
}
