package profile

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestNoPodNeedsFeaturesWithoutTheirPlugin: upstream's default profile has it by a gate.
func TestNoPodNeedsFeaturesWithoutTheirPlugin(t *testing.T) {
	if (&Profile{}).NeedsFeatures(&corev1.Pod{}) {
		t.Error("a Pod needs a feature that nobody asks for")
	}
}
