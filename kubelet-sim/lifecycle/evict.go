package lifecycle

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	resourcehelper "k8s.io/component-helpers/resource"

	"github.com/kubesim-dev/kubesim/kubelet-sim/eviction"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// measureVolumes evicts the Pod if one of its emptyDirs holds more than its sizeLimit, or
// the Pod or a container of it more than its limit of ephemeral storage, when the kubelet
// measures that, which it does at MeasureVolumesAt. It reports whether that instant was
// set or taken back.
func (run *podRun) measureVolumes(now time.Time) (changed bool) {
	over, period := run.overLimit()
	before := run.MeasureVolumesAt
	switch {
	case over == "" || run.Stop != nil:
		run.MeasureVolumesAt = time.Time{}
	case run.MeasureVolumesAt.IsZero():
		run.MeasureVolumesAt = run.StartTime.Add((now.Sub(run.StartTime)/period + 1) * period)
	case !now.Before(run.MeasureVolumesAt):
		run.Evicted, run.MeasureVolumesAt = over, time.Time{}
	}
	return !run.MeasureVolumesAt.Equal(before)
}

// overLimit says what of the Pod holds more than it may, empty if nothing does, and how
// often the kubelet looks at that. Source: localStorageEviction in k8s.io/kubernetes
// pkg/kubelet/eviction v1.37.2.
func (run *podRun) overLimit() (message string, period time.Duration) {
	volumes, message := run.volumes.EmptyDirs(run.pod)
	if message != "" || run.unlimited() {
		return message, eviction.VolumePeriod
	}
	containers := int64(0)
	for i := range run.parts {
		containers += run.parts[i].disk()
	}
	limits := resourcehelper.PodLimits(run.pod, resourcehelper.PodResourcesOptions{})
	if limit, ok := limits[corev1.ResourceEphemeralStorage]; ok && containers+volumes > limit.Value() {
		message = fmt.Sprintf("Pod ephemeral local storage usage exceeds the total limit of containers %s. ", limit.String())
		if containers > limit.Value() {
			return message, eviction.Period
		}
		return message, eviction.VolumePeriod
	}
	for i := range run.Containers {
		limit := run.Spec(run.pod, i).Resources.Limits.StorageEphemeral()
		role := run.Containers[i].Role
		if limit.Sign() > 0 && (role == podstate.Regular || role == podstate.Sidecar) && run.parts[i].disk() > limit.Value() {
			return fmt.Sprintf("Container %s exceeded its local ephemeral storage limit %q. ", run.Containers[i].Name, limit.String()), eviction.Period
		}
	}
	return "", eviction.Period
}

// unlimited reports that no container has a limit of ephemeral storage.
func (run *podRun) unlimited() bool {
	for i := range run.Containers {
		if run.Spec(run.pod, i).Resources.Limits.StorageEphemeral().Sign() > 0 {
			return false
		}
	}
	return true
}
