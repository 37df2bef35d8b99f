package replicaset

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A Pod that its node refuses, or evicts each time, is replaced by one that fares no
// better. Upstream replaces it at once, as fast as API server and kubelet answer, which
// takes time there and none here: it would never end at one instant.
//
// Deviation: after triesMax failed Pods for each replica, while they are there, the
// next one waits: retryStart, doubled each time, at most retryMax. Mode auto does not
// move time for that. Unit: virtual time.
const (
	triesMax             = 10
	retryStart, retryMax = time.Second, 5 * time.Minute
)

// failures are the failed Pods of a ReplicaSet that nobody has removed.
type failures struct {
	pods int
	// last is when the youngest was created.
	last time.Time
}

func failuresOf(rs *appsv1.ReplicaSet, owned []*corev1.Pod) failures {
	var f failures
	for _, pod := range owned {
		if pod.Status.Phase != corev1.PodFailed || pod.DeletionTimestamp != nil || metav1.GetControllerOfNoCopy(pod).UID != rs.UID {
			continue
		}
		f.pods++
		if at := pod.CreationTimestamp.Time; at.After(f.last) {
			f.last = at
		}
	}
	return f
}

// until is when the next Pod may be created; zero is at once.
func (f failures) until(replicas int, now time.Time) time.Time {
	tries := f.pods/max(replicas, 1) - triesMax
	if tries < 0 {
		return time.Time{}
	}
	wait := retryMax
	if doubled := 9; tries < doubled { // 2^9 s are more than retryMax
		wait = min(retryStart<<tries, retryMax)
	}
	if at := f.last.Add(wait); at.After(now) {
		return at
	}
	return time.Time{}
}
