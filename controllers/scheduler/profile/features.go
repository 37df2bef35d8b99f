package profile

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

// NeedsFeatures reports whether a Pod may go only to Nodes that declare some feature.
func (p *Profile) NeedsFeatures(pod *corev1.Pod) bool {
	if p.features == nil { // its gate is off
		return false
	}
	_, status := p.features.PreFilter(context.Background(), framework.NewCycleState(), pod, nil)
	return !status.IsSkip()
}
