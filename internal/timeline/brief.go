package timeline

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// What a brief timeline, that of a scenario, leaves out.

// ordinary reports whether an Event goes without saying: other lines say the same, or
// it is how every node begins.
func (t *Timeline) ordinary(now time.Time, e *corev1.Event) bool {
	if e.InvolvedObject.Kind == "Node" {
		return now.Equal(t.Start) || e.Reason == "RegisteredNode" || strings.HasPrefix(e.Reason, "NodeHasSufficient") || strings.HasPrefix(e.Reason, "NodeHasNoDisk")
	}
	return e.Type == corev1.EventTypeNormal && slices.Contains([]string{"Scheduled", "SuccessfulCreate"}, e.Reason) && e.InvolvedObject.Kind != "CronJob"
}

// probed reports whether a container's readiness depends on more than that it runs.
func probed(pod *corev1.Pod, container string) bool {
	return slices.ContainsFunc(slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers), func(c corev1.Container) bool {
		return c.Name == container && (c.ReadinessProbe != nil || c.StartupProbe != nil)
	})
}
