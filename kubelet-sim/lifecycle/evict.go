package lifecycle

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// evicted, and how long the containers of an evicted Pod get. Source: Reason and
// immediateEvictionGracePeriodSeconds in k8s.io/kubernetes pkg/kubelet/eviction
// v1.37.2.
const (
	evicted      = "Evicted"
	evictedGrace = time.Second
)

// evictedCondition is that of a Pod that its node has evicted. Source: synchronize
// in eviction_manager.go, ibid.
func evictedCondition(s *podState) (corev1.PodCondition, bool) {
	if !s.Finished || s.Stop == nil || s.Stop.Reason != evicted {
		return corev1.PodCondition{}, false
	}
	return corev1.PodCondition{
		Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue,
		Reason: corev1.PodReasonTerminationByKubelet, Message: s.Stop.Message,
	}, true
}

// volumeStatsPeriod is how often a kubelet measures a Pod's volumes. Unit: virtual
// time. Source: the default of VolumeStatsAggPeriod, ibid. apis/config/v1beta1.
//
// Deviation: upstream's eviction manager looks at what was measured up to ten
// seconds later.
const volumeStatsPeriod = time.Minute

// measureVolumes evicts the Pod if one of its emptyDirs holds more than its sizeLimit
// when the kubelet measures its volumes, which it does at MeasureVolumesAt. It reports
// whether that instant was set or taken back.
func (run *podRun) measureVolumes(now time.Time) (changed bool) {
	over, before := run.overLimit(), run.MeasureVolumesAt
	switch {
	case over == "" || run.Stop != nil:
		run.MeasureVolumesAt = time.Time{}
	case run.MeasureVolumesAt.IsZero():
		run.MeasureVolumesAt = run.StartTime.Add((now.Sub(run.StartTime)/volumeStatsPeriod + 1) * volumeStatsPeriod)
	case !now.Before(run.MeasureVolumesAt):
		run.Evicted, run.MeasureVolumesAt = over, time.Time{}
	}
	return !run.MeasureVolumesAt.Equal(before)
}

// overLimit says which emptyDir holds more than it may, empty if none does. Those
// in memory cannot. Source: emptyDirLimitEviction in k8s.io/kubernetes
// pkg/kubelet/eviction v1.37.2.
func (run *podRun) overLimit() string {
	for i := range run.pod.Spec.Volumes {
		v := &run.pod.Spec.Volumes[i]
		made := run.volumes[v.Name]
		if made == nil || made.fs == nil || v.EmptyDir == nil || v.EmptyDir.SizeLimit == nil || v.EmptyDir.SizeLimit.Sign() <= 0 || v.EmptyDir.Medium == corev1.StorageMediumMemory {
			continue
		}
		if used, _ := made.fs.Usage(); used > v.EmptyDir.SizeLimit.Value() {
			return fmt.Sprintf("Usage of EmptyDir volume %q exceeds the limit %q. ", v.Name, v.EmptyDir.SizeLimit.String())
		}
	}
	return ""
}
