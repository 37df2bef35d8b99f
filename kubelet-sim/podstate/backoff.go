package podstate

import "time"

// BackOffStart and backOffMax bound the wait before a container is started, or
// its image pulled, once more. Unit: virtual time. Source: backOffPeriod,
// imageBackOffPeriod, MaxCrashLoopBackOff and MaxImageBackOff in
// k8s.io/kubernetes pkg/kubelet v1.37.2.
const (
	BackOffStart = 10 * time.Second
	BackOffMax   = 5 * time.Minute
)

// BackOff is one entry of k8s.io/client-go util/flowcontrol.Backoff v0.37.2,
// without jitter. Its zero value is an entry that does not exist.
type BackOff struct {
	// Delay is the present wait, Updated when it was last lengthened.
	Delay   time.Duration
	Updated time.Time
}

// Until returns when the wait that counts from since ends; zero if there is
// none.
func (b BackOff) Until(since time.Time) time.Time {
	if b.Delay == 0 || b.expired(since) {
		return time.Time{}
	}
	return since.Add(b.Delay)
}

// expired reports whether nothing happened for so long that it starts afresh:
// for twice the longest wait.
func (b BackOff) expired(since time.Time) bool {
	return since.Sub(b.Updated) > 2*BackOffMax
}

// Next lengthens the wait at now, because of what happened at since.
func (b BackOff) Next(since, now time.Time) BackOff {
	if b.Delay == 0 || b.expired(since) {
		return BackOff{Delay: BackOffStart, Updated: now}
	}
	return BackOff{Delay: min(2*b.Delay, BackOffMax), Updated: now}
}
