package engine

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
)

// Registered registers a variable of upstream's that its package keeps to itself, made
// again with its name and words, or returns the one that another cluster in this process
// has registered. Where upstream's package exports its variables a controller calls that
// package's Register instead, and counts in them. Clusters that share a process share its
// variables; no step reads one.
func Registered[T metrics.Registerable](v T) (T, error) {
	err := legacyregistry.Register(v)
	if err == nil {
		return v, nil
	}
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		if there, ok := already.ExistingCollector.(T); ok {
			return there, nil
		}
	}
	return v, fmt.Errorf("engine: the metric %s cannot be registered, as another has its name: %w", v.FQName(), err)
}
