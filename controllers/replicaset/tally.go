package replicaset

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
	"k8s.io/kubernetes/pkg/controller"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/workload"
)

// tally counts the Pods of one ReplicaSet, and is kept up to date with each commit. With
// it, a step that has only to tell of a Pod that has become ready looks at no other. A
// step that finds none makes one. It remembers nothing that the Pods do not say.
type tally struct {
	uid                types.UID
	generation         int64
	selector, template labels.Selector
	counts
}

type counts struct {
	active, labelled, ready, terminating int32
	// alien are active, and do not match any more.
	alien int32
}

func newTally(rs *appsv1.ReplicaSet, selector labels.Selector, owned []*corev1.Pod) *tally {
	t := &tally{
		uid: rs.UID, generation: rs.Generation, selector: selector, template: labels.SelectorFromSet(rs.Spec.Template.Labels),
	}
	for _, pod := range owned {
		t.add(pod, 1)
	}
	return t
}

// add counts a Pod n times; n may be negative.
func (t *tally) add(pod *corev1.Pod, n int32) {
	if ref := metav1.GetControllerOfNoCopy(pod); ref == nil || ref.UID != t.uid {
		return
	}
	set := labels.Set(pod.Labels)
	switch active, matches := controller.IsPodActive(pod), t.selector.Matches(set); {
	case active && !matches:
		t.alien += n
	case active:
		t.active += n
		if t.template.Matches(set) {
			t.labelled += n
		}
		if podutil.IsPodReady(pod) {
			t.ready += n
		}
	case matches && controller.IsPodTerminating(pod):
		t.terminating += n
	}
}

// recount brings the tallies up to date with the change of a Pod.
func (r *Reconciler) recount(c engine.Commit) {
	if old, ok := c.Old.(*corev1.Pod); ok {
		r.countIn(old, -1)
	}
	if pod := c.Object.(*corev1.Pod); c.Type != watch.Deleted {
		r.countIn(pod, 1)
	}
}

func (r *Reconciler) countIn(pod *corev1.Pod, n int32) {
	ref := metav1.GetControllerOfNoCopy(pod)
	if ref == nil || !workload.IsOf(ref, r.kind.gvk) {
		return
	}
	if t := r.tallies[r.key(pod.Namespace, ref.Name)]; t != nil {
		t.add(pod, n)
	}
}

// settled returns what the status of rs is to be if there is nothing else to do for it: it
// has the Pods that it asks for, and none to adopt, to release or to wait for.
func (r *Reconciler) settled(rs *appsv1.ReplicaSet, t *tally) (appsv1.ReplicaSetStatus, bool) {
	if t == nil || t.uid != rs.UID || t.generation != rs.Generation || t.alien > 0 || int(t.active) != replicas(rs) ||
		rs.Spec.MinReadySeconds > 0 || rs.DeletionTimestamp != nil || r.index.HasOrphans(rs.Namespace) {
		return appsv1.ReplicaSetStatus{}, false
	}
	s := appsv1.ReplicaSetStatus{
		ObservedGeneration: rs.Generation, Replicas: t.active, FullyLabeledReplicas: t.labelled, ReadyReplicas: t.ready, AvailableReplicas: t.ready,
		Conditions: conditions(rs, int(t.active), nil, time.Time{}), // it takes one away at most,
	}
	if r.kind.terminating {
		s.TerminatingReplicas = new(t.terminating)
	}
	return s, true
}
