package explain

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
	"k8s.io/kubernetes/pkg/controller/deployment/util"
)

// workloadStory is what is known, beside its state, of what keeps a number of Pods.
type workloadStory struct {
	// opened is the last step that left room for Pods, openedWhy says so; closed and
	// closedWhy are the same of what takes Pods away.
	opened, closed       int
	openedWhy, closedWhy string
	deleted              int
	// freed is the last step of a Deployment that took Pods of an old version away.
	freed int
	// room is what Pods that went without being asked to have left.
	room []room
	// ready is the step that shows a Pod of it ready, readyPod the Pod.
	ready    int
	readyPod string
	track    track
}

func (t *teller) workloadOf(uid types.UID) *workloadStory {
	s := t.workloads[uid]
	if s == nil {
		s = &workloadStory{opened: none, closed: none, deleted: none, freed: none, ready: none}
		t.workloads[uid] = s
	}
	return s
}

// workloadOwner returns the story of what keeps a Pod, if it is told.
func (t *teller) workloadOwner(pod *corev1.Pod) (*workloadStory, string) {
	for _, kind := range []string{"ReplicaSet"} {
		if ref := owner(pod, kind); ref != nil && t.last[ref.UID] != nil {
			return t.workloadOf(ref.UID), strings.ToLower(kind)
		}
	}
	return nil, ""
}

// opening says why there is a new Pod.
func (s *workloadStory) opening() (why string, cause int) {
	if len(s.room) > 0 {
		left := s.room[0]
		s.room = s.room[1:]
		return left.why, left.step
	}
	return s.openedWhy, s.opened
}

// grown notes that more Pods are wanted, shrunk that fewer are.
func (s *workloadStory) grown(step int, why string) { s.opened, s.openedWhy, s.room = step, why, nil }

func (s *workloadStory) shrunk(step int, why string) { s.closed, s.closedWhy = step, why }

// workloadPod follows a Pod of a workload: it may leave room, and may become ready.
func (t *teller) workloadPod(old, pod *corev1.Pod) {
	t.chartPod(old, pod)
	s, kind := t.workloadOwner(pod)
	if s == nil {
		return
	}
	p := t.podOf(pod.UID)
	ended := podutil.IsPodTerminal(pod) && !podutil.IsPodTerminal(old)
	if (ended || t.c.Type == watch.Deleted || p.deleted != none) && !p.left && controller(t.c.Actor) != kind {
		p.left = true
		s.room = append(s.room, room{"replaces pod/" + pod.Name, max(p.end, p.deleted)})
	}
	if podutil.IsPodReady(pod) && !podutil.IsPodReady(old) {
		s.ready, s.readyPod = t.lastStepOf("pod/"+pod.Name), pod.Name
	}
}

// lastStepOf returns the last step about an object.
func (t *teller) lastStepOf(object string) int {
	for i, step := range slices.Backward(t.story.Steps) {
		if step.Object == object {
			return i
		}
	}
	return none
}

// templateChanges says how a template has changed: its images, if it is no more than that.
func templateChanges(was, is *corev1.PodTemplateSpec) string {
	var parts []string
	before := slices.Concat(was.Spec.InitContainers, was.Spec.Containers)
	for _, c := range slices.Concat(is.Spec.InitContainers, is.Spec.Containers) {
		i := slices.IndexFunc(before, func(b corev1.Container) bool { return b.Name == c.Name })
		switch {
		case i < 0:
			parts = append(parts, "container "+c.Name+" was added")
		case before[i].Image != c.Image:
			parts = append(parts, fmt.Sprintf("image of %s %s, before %s", c.Name, c.Image, before[i].Image))
		}
	}
	if at := is.Annotations[restartedAt]; at != was.Annotations[restartedAt] && at != "" {
		parts = append(parts, "restarted")
	}
	return words(": ", "template changed", strings.Join(parts, ", "))
}

// restartedAt is what kubectl rollout restart sets.
const restartedAt = "kubectl.kubernetes.io/restartedAt"

// fieldChange is a field that somebody has changed.
type fieldChange struct{ name, was, is string }

// changed tells the fields that differ, and returns the last step.
func (t *teller) changed(fields ...fieldChange) (step int) {
	step = none
	for _, f := range fields {
		if f.was != f.is {
			step = t.say(Outside, fmt.Sprintf("%s changed from %s to %s", f.name, f.was, f.is), "")
		}
	}
	return step
}

// pausedText tells that a workload was paused or goes on.
func pausedText(paused bool) string {
	if paused {
		return "paused"
	}
	return "resumed"
}

// setsOf returns the ReplicaSets of a Deployment, the oldest first.
func (t *teller) setsOf(d *appsv1.Deployment) (sets []*appsv1.ReplicaSet) {
	for _, o := range t.sorted(func(o Object) bool {
		ref := owner(o, "Deployment")
		return ref != nil && ref.UID == d.UID
	}) {
		if set, ok := o.(*appsv1.ReplicaSet); ok && !t.gone[set.UID] {
			sets = append(sets, set)
		}
	}
	return sets
}

// revisionOf is the revision of a ReplicaSet.
func revisionOf(set *appsv1.ReplicaSet) string { return set.Annotations[util.RevisionAnnotation] }
