package daemonset

import (
	"maps"
	"time"
)

// The wait before a failed Pod is deleted, if another one has failed on its Node before.
// It doubles each time. Unit: virtual time. Source: startDaemonSetController in
// k8s.io/kubernetes cmd/kube-controller-manager/app v1.37.2.
const backoffStart, backoffMax = time.Second, 15 * time.Minute

// expiry is when a failure is forgotten. Source: Backoff.hasExpired in k8s.io/client-go
// util/flowcontrol v0.37.2.
const expiry = 2 * backoffMax

// triesMax is for how many failures on one Node mode auto advances the clock: until the
// wait has come to its longest.
const triesMax = 10

// failures are those of a DaemonSet's Pods that were found lately. With another observed
// generation the count starts again.
//
// Deviation: they are part of the checkpoint. Upstream's controller forgets them when it
// restarts.
type failures struct {
	Generation int64              `json:"generation"`
	Nodes      map[string]failure `json:"nodes"`
	// LookAt is when the DaemonSet is looked at again because a failed Pod waits. Upstream
	// waits anew from each look, and a look that is to come already is not put off.
	LookAt time.Time `json:"lookAt,omitzero"`
}

// failure are those on one Node.
type failure struct {
	Count int       `json:"count"`
	Last  time.Time `json:"last"`
}

func (f failure) wait() time.Duration {
	const doubled = 10 // 2^10 s are more than backoffMax
	if f.Count > doubled {
		return backoffMax
	}
	return min(backoffStart<<(f.Count-1), backoffMax)
}

// at returns a copy of the failures that count at an instant.
func (f failures) at(generation int64, now time.Time) failures {
	next := failures{Generation: generation, LookAt: f.LookAt, Nodes: map[string]failure{}}
	if f.Generation == generation {
		maps.Copy(next.Nodes, f.Nodes)
	}
	maps.DeleteFunc(next.Nodes, func(_ string, old failure) bool { return now.Sub(old.Last) > expiry })
	if len(next.Nodes) == 0 || !next.LookAt.After(now) {
		next.LookAt = time.Time{}
	}
	return next
}

// add adds a failure on a Node, and reports whether it may be dealt with now. If not, it is
// not counted.
func (f *failures) add(node string, now time.Time) bool {
	old, again := f.Nodes[node]
	if again && now.Sub(old.Last) < old.wait() {
		if at := now.Add(old.wait()); f.LookAt.IsZero() || at.Before(f.LookAt) {
			f.LookAt = at
		}
		return false
	}
	f.Nodes[node] = failure{old.Count + 1, now}
	return true
}

// most is the largest number of failures on one Node.
func (f failures) most() int {
	n := 0
	for _, failure := range f.Nodes {
		n = max(n, failure.Count)
	}
	return n
}
