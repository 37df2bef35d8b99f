package explain

import (
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
	"k8s.io/kubernetes/pkg/controller/deployment/util"
)

// Chart is how many Pods of each version of a Deployment there were.
type Chart struct {
	// Versions are the ReplicaSets, in the order in which they were created.
	Versions []string `json:"versions"`
	// Samples are in the order of time; each holds until the next.
	Samples []Sample `json:"samples"`
}

// Sample is how many Pods there were from an instant on.
type Sample struct {
	At time.Time `json:"at"`
	// Want is the Deployment's replicas. Most is how many Pods a rollout lets be there,
	// Least how many must be available.
	Want  int32 `json:"want"`
	Most  int32 `json:"most"`
	Least int32 `json:"least"`
	// Ready and Unready count the Pods of each of Versions; those that are being deleted
	// count nowhere.
	Ready   []int32 `json:"ready"`
	Unready []int32 `json:"unready"`
}

// charted follows the numbers of a Chart.
type charted struct {
	chart    Chart
	versions map[types.UID]int
	now      Sample
}

// chartWant takes over what a Deployment wants.
func (t *teller) chartWant(d *appsv1.Deployment) {
	if t.story.Ref() != "deployment/"+d.Name {
		return
	}
	if t.charted == nil {
		t.charted = &charted{versions: map[types.UID]int{}}
	}
	c := t.charted
	c.now.Want, c.now.Most, c.now.Least = *d.Spec.Replicas, *d.Spec.Replicas+util.MaxSurge(*d), util.MinAvailable(d)
	c.sample(t.c.Time)
}

// chartVersion gives a ReplicaSet its place.
func (t *teller) chartVersion(set *appsv1.ReplicaSet) {
	c := t.charted
	if c == nil || owner(set, "Deployment") == nil {
		return
	}
	c.versions[set.UID] = len(c.chart.Versions)
	c.chart.Versions = append(c.chart.Versions, "replicaset/"+set.Name)
	c.now.Ready, c.now.Unready = append(c.now.Ready, 0), append(c.now.Unready, 0)
}

// chartPod counts a Pod as what it is now.
func (t *teller) chartPod(old, pod *corev1.Pod) {
	t.placePod(pod)
	ref := owner(pod, "ReplicaSet")
	if t.charted == nil || ref == nil {
		return
	}
	v, ok := t.charted.versions[ref.UID]
	if !ok {
		return
	}
	was, is := t.charted.now.of(old, v, false), t.charted.now.of(pod, v, t.c.Type == watch.Deleted)
	if was == is {
		return
	}
	if was != nil {
		*was--
	}
	if is != nil {
		*is++
	}
	t.charted.sample(t.c.Time)
}

// of is the count to which a Pod belongs, nil if there is none.
func (s *Sample) of(pod *corev1.Pod, version int, gone bool) *int32 {
	switch {
	case pod == nil || pod.UID == "" || gone || pod.DeletionTimestamp != nil || podutil.IsPodTerminal(pod):
		return nil
	case podutil.IsPodReady(pod):
		return &s.Ready[version]
	}
	return &s.Unready[version]
}

// sample keeps what is so now; of what was so at the same instant, the last is kept.
func (c *charted) sample(at time.Time) {
	s := c.now
	s.At, s.Ready, s.Unready = at.UTC(), slices.Clone(c.now.Ready), slices.Clone(c.now.Unready)
	if n := len(c.chart.Samples); n > 0 && c.chart.Samples[n-1].At.Equal(s.At) {
		c.chart.Samples[n-1] = s
		return
	}
	c.chart.Samples = append(c.chart.Samples, s)
}
