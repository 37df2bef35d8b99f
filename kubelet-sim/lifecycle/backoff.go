package lifecycle

import "time"

// backOffStart and backOffMax bound the wait before a container is started, or
// its image pulled, once more. Unit: virtual time. Source: backOffPeriod,
// imageBackOffPeriod, MaxCrashLoopBackOff and MaxImageBackOff in
// k8s.io/kubernetes pkg/kubelet v1.37.2.
const (
	backOffStart = 10 * time.Second
	backOffMax   = 5 * time.Minute
)

// backOff is one entry of k8s.io/client-go util/flowcontrol.Backoff v0.37.2,
// without jitter. Its zero value is an entry that does not exist.
type backOff struct {
	// Delay is the present wait, Updated when it was last lengthened.
	Delay   time.Duration
	Updated time.Time
}

// until returns when the wait that counts from since ends; zero if there is
// none.
func (b backOff) until(since time.Time) time.Time {
	if b.Delay == 0 || b.expired(since) {
		return time.Time{}
	}
	return since.Add(b.Delay)
}

// expired reports whether nothing happened for so long that it starts afresh:
// for twice the longest wait.
func (b backOff) expired(since time.Time) bool {
	return since.Sub(b.Updated) > 2*backOffMax
}

// next lengthens the wait at now, because of what happened at since.
func (b backOff) next(since, now time.Time) backOff {
	if b.Delay == 0 || b.expired(since) {
		return backOff{Delay: backOffStart, Updated: now}
	}
	return backOff{Delay: min(2*b.Delay, backOffMax), Updated: now}
}
