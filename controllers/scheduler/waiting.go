package scheduler

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	schedulinghelper "k8s.io/component-helpers/scheduling/corev1"
)

// waiting holds the Pods that fit nowhere, in one queue for each shape: Pods of
// one shape fit the same Nodes, so that only the first of each has to be tried
// when something changes. A Job of 100,000 Pods on a small cluster so costs a
// try for each Pod that ends, not one for each that waits.
type waiting struct {
	queues map[string]*queue
	// shapes tells where a Pod waits.
	shapes map[types.NamespacedName]string
	seq    int64
}

// queue holds the Pods of one shape in order of arrival.
type queue struct {
	priority int32
	// claims: its Pods have claims.
	claims bool
	// seq is the order of arrival of the queue itself.
	seq  int64
	pods []types.NamespacedName
	// tried counts the first of pods that have been handed out since something
	// changed.
	tried int
}

func newWaiting() *waiting {
	return &waiting{queues: map[string]*queue{}, shapes: map[types.NamespacedName]string{}}
}

// shape returns what of a Pod decides which Nodes it fits.
func shape(pod *corev1.Pod) string {
	text, err := json.Marshal(struct {
		Priority     int32
		NodeSelector map[string]string
		Affinity     *corev1.Affinity
		Tolerations  []corev1.Toleration
		Request      request
		Claims       []string `json:",omitempty"`
	}{schedulinghelper.PodPriority(pod), pod.Spec.NodeSelector, pod.Spec.Affinity, pod.Spec.Tolerations, requestOf(pod), claimsOf(pod)})
	if err != nil {
		panic(fmt.Sprintf("scheduler: shape of Pod %s/%s: %v", pod.Namespace, pod.Name, err))
	}
	return string(text)
}

// add files a Pod that fits nowhere, unless it is there already.
func (w *waiting) add(pod *corev1.Pod) {
	name := nameOf(pod)
	if _, ok := w.shapes[name]; ok {
		return
	}
	s := shape(pod)
	q, ok := w.queues[s]
	if !ok {
		w.seq++
		q = &queue{priority: schedulinghelper.PodPriority(pod), claims: len(claimsOf(pod)) > 0, seq: w.seq}
		w.queues[s] = q
	}
	q.pods = append(q.pods, name)
	w.shapes[name] = s
}

// remove takes a Pod out and returns those of its shape that are to be tried
// next: two for each that was bound, so that a wave doubles as long as there is
// room, and one if the first of the queue goes otherwise. A Pod in the middle
// is skipped when its turn comes.
func (w *waiting) remove(name types.NamespacedName, bound bool) []types.NamespacedName {
	s, ok := w.shapes[name]
	if !ok {
		return nil
	}
	delete(w.shapes, name)
	q := w.queues[s]
	first := q.pods[0] == name
	for len(q.pods) > 0 && w.shapes[q.pods[0]] != s {
		q.pods = q.pods[1:]
		q.tried = max(q.tried-1, 0)
	}
	switch {
	case len(q.pods) == 0:
		delete(w.queues, s)
		return nil
	case bound:
		return q.hand(2)
	case first && q.tried == 0:
		return q.hand(1)
	}
	return nil
}

// hand returns up to n Pods that have not been handed out.
func (q *queue) hand(n int) []types.NamespacedName {
	from := min(q.tried, len(q.pods))
	q.tried = min(from+n, len(q.pods))
	return q.pods[from:q.tried]
}

// Which shapes something that has changed matters to.
func everyShape(*queue) bool   { return true }
func withClaims(q *queue) bool { return q.claims }

// heads starts a new wave with the first Pod of each such shape: the highest
// priority first, then by arrival.
func (w *waiting) heads(such func(*queue) bool) []types.NamespacedName {
	queues := make([]*queue, 0, len(w.queues))
	for _, q := range w.queues {
		if such(q) {
			queues = append(queues, q)
		}
	}
	slices.SortFunc(queues, func(a, b *queue) int {
		return cmp.Or(cmp.Compare(b.priority, a.priority), cmp.Compare(a.seq, b.seq))
	})
	var out []types.NamespacedName
	for _, q := range queues {
		q.tried = 0
		out = append(out, q.hand(1)...)
	}
	return out
}
