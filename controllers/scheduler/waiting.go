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
	// seq is the order of arrival of the queue itself.
	seq  int64
	pods []types.NamespacedName
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
	}{schedulinghelper.PodPriority(pod), pod.Spec.NodeSelector, pod.Spec.Affinity, pod.Spec.Tolerations, requestOf(pod)})
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
		q = &queue{priority: schedulinghelper.PodPriority(pod), seq: w.seq}
		w.queues[s] = q
	}
	q.pods = append(q.pods, name)
	w.shapes[name] = s
}

// remove takes a Pod out and returns the next of its shape, if it was the
// first: what made it go may let the next one go too. A Pod in the middle of a
// queue is skipped when its turn comes.
func (w *waiting) remove(name types.NamespacedName) []types.NamespacedName {
	s, ok := w.shapes[name]
	if !ok {
		return nil
	}
	delete(w.shapes, name)
	q := w.queues[s]
	if q.pods[0] != name {
		return nil
	}
	for len(q.pods) > 0 && w.shapes[q.pods[0]] != s {
		q.pods = q.pods[1:]
	}
	if len(q.pods) == 0 {
		delete(w.queues, s)
		return nil
	}
	return q.pods[:1]
}

// heads returns the first Pod of each shape: the highest priority first, then
// by arrival.
func (w *waiting) heads() []types.NamespacedName {
	queues := make([]*queue, 0, len(w.queues))
	for _, q := range w.queues {
		queues = append(queues, q)
	}
	slices.SortFunc(queues, func(a, b *queue) int {
		return cmp.Or(cmp.Compare(b.priority, a.priority), cmp.Compare(a.seq, b.seq))
	})
	var out []types.NamespacedName
	for _, q := range queues {
		out = append(out, q.pods[0])
	}
	return out
}
