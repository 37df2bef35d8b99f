package eviction

import "time"

// Period is how often a kubelet looks at what its node lacks, and evicts one
// Pod. Unit: virtual time. Source: evictionMonitoringPeriod in k8s.io/kubernetes
// pkg/kubelet v1.37.2.
const Period = 10 * time.Second

// VolumePeriod is how often a kubelet measures a Pod's volumes. Unit: virtual
// time. Source: the default of VolumeStatsAggPeriod in k8s.io/kubernetes
// pkg/kubelet/apis/config/v1beta1 v1.37.2.
//
// Deviation: upstream's eviction manager looks at what was measured up to ten
// seconds later.
const VolumePeriod = time.Minute

// Grace is how long the containers of an evicted Pod get. Source:
// immediateEvictionGracePeriodSeconds in k8s.io/kubernetes pkg/kubelet/eviction
// v1.37.2.
const Grace = time.Second

// Pressure is what a node has done about being short of something: Cause is its annotation's
// value, At the instant of the last eviction.
type Pressure struct {
	Cause   string
	Evicted int32
	At      time.Time
}
