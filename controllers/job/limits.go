package job

import (
	"fmt"
	"time"
)

// Limits are the waits and bounds that upstream's controller has as package
// variables, for its tests to set.
type Limits struct {
	// PodBackoffStart and PodBackoffMax bound the wait before a replacement Pod.
	// Unit: virtual time.
	PodBackoffStart, PodBackoffMax time.Duration
	// BatchPeriod is how long a Job waits for more of its Pods to change before it
	// looks at them. Unit: virtual time.
	BatchPeriod time.Duration
	// UncountedMax bounds the UIDs in status.uncountedTerminatedPods, so that they
	// stay below some 20 KB.
	UncountedMax int
	// PodsPerStepMax bounds how many Pods one step creates or deletes.
	PodsPerStepMax int
}

// DefaultLimits are those of a real cluster. Source: DefaultJobPodFailureBackOff,
// MaxJobPodFailureBackOff, SyncJobBatchPeriod, MaxUncountedPods and
// MaxPodCreateDeletePerSync, k8s.io/kubernetes pkg/controller/job v1.37.2.
func DefaultLimits() Limits {
	return Limits{
		PodBackoffStart: 10 * time.Second, PodBackoffMax: 10 * time.Minute, BatchPeriod: time.Second,
		UncountedMax: 500, PodsPerStepMax: 500,
	}
}

func (l Limits) validate() error {
	if l.PodBackoffStart <= 0 || l.PodBackoffMax <= 0 || l.BatchPeriod < 0 || l.UncountedMax <= 0 || l.PodsPerStepMax <= 0 {
		return fmt.Errorf("job: Config.Limits is %+v: begin with DefaultLimits", l)
	}
	return nil
}

// podBackoff returns how long a Job waits after its failures-th failure in a
// row: PodBackoffStart, doubled for each further failure, at most
// PodBackoffMax. It is exact, not jittered: upstream does not jitter either.
func (l Limits) podBackoff(failures int32) time.Duration {
	wait := l.PodBackoffStart
	for i := int32(1); i < failures && wait < l.PodBackoffMax; i++ {
		wait *= 2
	}
	return min(wait, l.PodBackoffMax)
}

// rules are what decide has to keep to beside the API's objects.
type rules struct {
	Gates
	Limits
}
