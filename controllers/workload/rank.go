package workload

import (
	"slices"
	"sort"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
	"k8s.io/kubernetes/pkg/controller"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// LeastWorth returns Pods in the order of how little is lost with them. neighbours are how
// many Pods of the same kind run on each node: where there are more, one less matters
// less. Source: getPodsToDelete in k8s.io/kubernetes pkg/controller/replicaset v1.37.2.
func LeastWorth(pods []*corev1.Pod, neighbours map[string]int, now time.Time) []*corev1.Pod {
	ranked := controller.ActivePodsWithRanks{Pods: slices.Clone(pods), Rank: make([]int, len(pods)), Now: metav1.NewTime(now)}
	for i, pod := range pods {
		ranked.Rank[i] = neighbours[pod.Spec.NodeName]
	}
	sort.Sort(ranked)
	return ranked.Pods
}

// NextAvailable is when the next of the ready Pods becomes available; zero if none of them
// waits for that. Source: FindMinNextPodAvailabilityCheck in k8s.io/kubernetes
// pkg/controller v1.37.2, which asks a clock.
func NextAvailable(pods []*corev1.Pod, minReadySeconds int32, now time.Time) time.Time {
	var next time.Time
	for _, pod := range pods {
		c := podutil.GetPodReadyCondition(pod.Status)
		if c == nil || c.Status != corev1.ConditionTrue {
			continue
		}
		at := engine.After(c.LastTransitionTime.Time, engine.Seconds(int64(minReadySeconds)))
		if at.After(now) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}
