package scheduler

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	schedulinghelper "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/kubernetes/pkg/scheduler/util"
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
	// labels: Pods of other labels are of another shape.
	labels bool
}

// queue holds the Pods of one shape in order of arrival.
type queue struct {
	priority int32
	// plugins have refused them.
	plugins []string
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

// shape returns what of a Pod decides which Nodes it fits. A Pod for which room is being made
// is of a shape of its own.
func shape(pod *corev1.Pod, labels bool) string {
	constrained := len(pod.Spec.TopologySpreadConstraints) > 0 || pod.Spec.Affinity != nil && (pod.Spec.Affinity.PodAffinity != nil || pod.Spec.Affinity.PodAntiAffinity != nil)
	what := struct {
		Priority     int32
		Preempts     *corev1.PreemptionPolicy `json:",omitempty"`
		NodeSelector map[string]string
		Affinity     *corev1.Affinity
		Spread       []corev1.TopologySpreadConstraint `json:",omitempty"`
		Tolerations  []corev1.Toleration
		Request      []corev1.ResourceRequirements
		Ports        []corev1.ContainerPort `json:",omitempty"`
		Claims       []string               `json:",omitempty"`
		Namespace    string                 `json:",omitempty"`
		Labels       map[string]string      `json:",omitempty"`
		Nominated    string                 `json:",omitempty"`
	}{
		Priority: schedulinghelper.PodPriority(pod), Preempts: pod.Spec.PreemptionPolicy, NodeSelector: pod.Spec.NodeSelector,
		Affinity: pod.Spec.Affinity, Spread: pod.Spec.TopologySpreadConstraints, Tolerations: pod.Spec.Tolerations,
		Request: requestsOf(pod), Ports: util.GetHostPorts(pod), Claims: claimsOf(pod),
	}
	if labels || constrained {
		what.Namespace, what.Labels = pod.Namespace, pod.Labels
	}
	if pod.Status.NominatedNodeName != "" {
		what.Nominated = pod.Namespace + "/" + pod.Name
	}
	text, err := json.Marshal(what)
	if err != nil {
		panic(fmt.Sprintf("scheduler: shape of Pod %s/%s: %v", pod.Namespace, pod.Name, err))
	}
	return string(text)
}

// requestsOf is what the Pod's containers ask for.
func requestsOf(pod *corev1.Pod) []corev1.ResourceRequirements {
	var out []corev1.ResourceRequirements
	if pod.Spec.Resources != nil {
		out = append(out, *pod.Spec.Resources)
	}
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			out = append(out, corev1.ResourceRequirements{Requests: containers[i].Resources.Requests})
		}
	}
	return out
}

// add files a Pod that these plugins have refused.
func (w *waiting) add(pod *corev1.Pod, plugins []string, labels bool) {
	if len(w.shapes) == 0 {
		w.labels = labels
	}
	name := nameOf(pod)
	s, ok := w.shapes[name]
	if !ok {
		s = shape(pod, w.labels)
	}
	q, filed := w.queues[s]
	if !filed {
		w.seq++
		q = &queue{priority: schedulinghelper.PodPriority(pod), seq: w.seq}
		w.queues[s] = q
	}
	q.plugins = plugins
	if !ok {
		q.pods = append(q.pods, name)
		w.shapes[name] = s
	}
}

func (w *waiting) empty() bool { return len(w.shapes) == 0 }

// refusedBy returns the plugins that have refused a Pod that waits.
func (w *waiting) refusedBy(name types.NamespacedName) ([]string, bool) {
	s, ok := w.shapes[name]
	if !ok {
		return nil, false
	}
	return w.queues[s].plugins, true
}

// refile files all Pods anew, by shapes with or without labels.
func (w *waiting) refile(get func(types.NamespacedName) (*corev1.Pod, bool), labels bool) {
	old := *w
	*w = *newWaiting()
	w.labels = labels
	for _, q := range old.sorted() {
		for _, name := range q.pods {
			if pod, ok := get(name); ok && old.shapes[name] != "" {
				w.add(pod, q.plugins, labels)
			}
		}
	}
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

// hand returns up to n Pods that have not been handed out. Callers append to it.
func (q *queue) hand(n int) []types.NamespacedName {
	from := min(q.tried, len(q.pods))
	q.tried = min(from+n, len(q.pods))
	return slices.Clone(q.pods[from:q.tried])
}

// heads starts a new wave with the first Pod of each such shape: the highest
// priority first, then by arrival.
func (w *waiting) heads(such func(*queue) bool) []types.NamespacedName {
	var out []types.NamespacedName
	for _, q := range w.sorted() {
		if such(q) {
			q.tried = 0
			out = append(out, q.hand(1)...)
		}
	}
	return out
}

// sorted returns the queues in the order in which their Pods are tried.
func (w *waiting) sorted() []*queue {
	return slices.SortedFunc(maps.Values(w.queues), func(a, b *queue) int {
		return cmp.Or(cmp.Compare(b.priority, a.priority), cmp.Compare(a.seq, b.seq))
	})
}
