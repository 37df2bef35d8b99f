package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"

	jobcontroller "github.com/kubesim-dev/kubesim/controllers/job"
)

// podStory is what is known of a Pod beside its state.
type podStory struct {
	// end is the step of its end, killed that of what made a container end.
	end, killed int
	// deleted is the step of its deletion, target that of condition DisruptionTarget.
	deleted, target int
	// chain are the last steps of its containers, assigned what they begin with.
	chain    map[string]int
	assigned int
	// pending is the last step that said why no node takes it, 0 if there is none.
	pending int
	// left: it has left room for another Pod already.
	left bool
	// waits counts what its containers wait for.
	waits map[string]int
	bars  podBars
}

// before is the last step of a container, or what it waits for: the end of an init
// container, its node.
func (p *podStory) before(container string) int {
	if step, ok := p.chain[container]; ok {
		return step
	}
	return p.assigned
}

func (t *teller) podOf(uid types.UID) *podStory {
	p := t.pods[uid]
	if p == nil {
		p = &podStory{end: none, killed: none, deleted: none, target: none, assigned: none, chain: map[string]int{}, waits: map[string]int{}}
		t.pods[uid] = p
	}
	return p
}

// pod tells how a Pod has changed; old is nil if it was not known.
func (t *teller) pod(old, pod *corev1.Pod) {
	p := t.podOf(pod.UID)
	fresh := old == nil
	if fresh {
		old = &corev1.Pod{}
		p.bars.begin(t.c, pod)
	}
	if t.c.Type == watch.Added {
		t.created[pod.UID] = t.podCreated(pod)
	}
	if t.c.Type == watch.Deleted {
		p.bars.gone(t.c.Time)
		if controller(t.c.Actor) == "job" { // without its last finalizer it is gone at once
			last := pod.DeepCopy()
			last.Finalizers = nil
			t.ignored(pod, last)
		}
		t.deletion(orNil(old, fresh), pod, t.whyDeleted(pod), t.causesOfDeletion(pod)...)
		t.workloadPod(old, pod)
		return
	}
	t.adoption(old, pod, fresh)
	t.scheduling(p, old, pod)
	t.disruption(p, old, pod)
	if step := t.deletion(orNil(old, fresh), pod, t.whyDeleted(pod), t.causesOfDeletion(pod)...); step != none {
		p.deleted = step
		t.leave(p, pod, step)
	}
	ended := t.containers(p, old, pod)
	t.phase(p, old, pod, ended)
	t.ignored(old, pod)
	t.workloadPod(old, pod)
	p.bars.follow(t.c, old, pod)
}

// leave notes that a Pod that is deleted leaves room, before it has ended.
func (t *teller) leave(p *podStory, pod *corev1.Pod, step int) {
	ref := owner(pod, "Job")
	if ref == nil || t.jobs[ref.UID] == nil || podutil.IsPodTerminal(pod) {
		return
	}
	job, ok := t.last[ref.UID].(*batchv1.Job)
	if !ok || controller(t.c.Actor) == "job" || job.Spec.PodReplacementPolicy != nil && *job.Spec.PodReplacementPolicy == batchv1.Failed {
		return
	}
	p.left = true
	t.jobs[ref.UID].room = append(t.jobs[ref.UID].room, room{"pod/" + pod.Name + " is being deleted and leaves room", step})
}

// orNil is old as an Object that is nil if it is not known.
func orNil(old *corev1.Pod, fresh bool) Object {
	if fresh {
		return nil
	}
	return old
}

// podCreated tells of a new Pod, and why its Job wanted it.
func (t *teller) podCreated(pod *corev1.Pod) int {
	what := "created"
	if s, kind := t.workloadOwner(pod); s != nil && controller(t.c.Actor) == kind {
		what, why, cause := t.workloadOpening(s, pod)
		return t.say(Plain, what, why, cause)
	}
	ref := owner(pod, "Job")
	if ref == nil || t.jobs[ref.UID] == nil || controller(t.c.Actor) != "job" {
		return t.say(Plain, what, "")
	}
	if ix, ok := pod.Annotations[batchv1.JobCompletionIndexAnnotation]; ok {
		what += " for index " + ix
	}
	why, cause := t.jobs[ref.UID].opening(pod)
	return t.say(Plain, what, why, cause)
}

// adoption tells of a controller that has taken or left a Pod.
func (t *teller) adoption(old, pod *corev1.Pod, fresh bool) {
	was, is := owner(old, "Job"), owner(pod, "Job")
	switch {
	case fresh:
	case was == nil && is != nil:
		t.say(Plain, "adopted by job/"+is.Name, "the Job's selector matches its labels")
	case was != nil && is == nil:
		t.say(Plain, "released by job/"+was.Name, "the Job's selector does not match its labels any more")
	}
}

// scheduling tells where a Pod goes, or why nowhere.
func (t *teller) scheduling(p *podStory, old, pod *corev1.Pod) {
	if pod.Spec.NodeName != old.Spec.NodeName && pod.Spec.NodeName != "" {
		t.nodeOf(pod.Spec.NodeName).users[pod.UID] = true
		p.assigned = t.say(Plain, "assigned to "+pod.Spec.NodeName, "", cmp.Or(p.pending, t.createdStep(pod.UID)))
	}
	_, is := podutil.GetPodCondition(&pod.Status, corev1.PodScheduled)
	_, was := podutil.GetPodCondition(&old.Status, corev1.PodScheduled)
	if is == nil || is.Status != corev1.ConditionFalse || was != nil && was.Reason == is.Reason && was.Message == is.Message {
		return
	}
	p.pending = t.say(Wait, "Pending: "+is.Reason, is.Message, cmp.Or(p.pending, t.createdStep(pod.UID)))
}

// disruption tells that something is about to end a Pod.
func (t *teller) disruption(p *podStory, old, pod *corev1.Pod) {
	_, is := podutil.GetPodCondition(&pod.Status, corev1.DisruptionTarget)
	_, was := podutil.GetPodCondition(&old.Status, corev1.DisruptionTarget)
	if is != nil && is.Status == corev1.ConditionTrue && (was == nil || was.Status != corev1.ConditionTrue) {
		p.target = t.say(Bad, "DisruptionTarget: "+is.Reason, is.Message, t.nodeOf(pod.Spec.NodeName).step)
		p.killed = p.target
	}
}

// phase tells that a Pod has come to its end.
func (t *teller) phase(p *podStory, old, pod *corev1.Pod, ended []string) {
	if pod.Status.Phase == old.Status.Phase || !podutil.IsPodTerminal(pod) {
		return
	}
	tone, what := Good, "Succeeded"
	if pod.Status.Phase == corev1.PodFailed {
		tone, what = Bad, words(": ", "Failed", pod.Status.Reason)
	}
	for i, text := range ended {
		sep := ", "
		if i == 0 {
			sep = ": "
		}
		what += sep + text
	}
	causes := []int{p.killed, p.deleted}
	for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		causes = append(causes, p.before(c.Name))
	}
	why := pod.Status.Message
	if why == "" && strings.Contains(what, "(Unknown)") {
		why, causes = "nobody saw its end: "+pod.Spec.NodeName+" went down meanwhile", append(causes, t.nodeOf(pod.Spec.NodeName).step)
	}
	p.end = t.say(tone, what, why, causes...)
	if ref := owner(pod, "Job"); ref != nil && t.jobs[ref.UID] != nil {
		s := t.jobs[ref.UID]
		s.ends[pod.UID] = p.end
		if !p.left {
			s.room = append(s.room, room{"pod/" + pod.Name + " has ended and left room", p.end})
		}
		if pod.Status.Phase == corev1.PodFailed {
			t.indexBackOff(s, ref, pod, p.end)
		}
	}
}

// ignored tells that a failed Pod's Job lets it go without having counted it.
func (t *teller) ignored(old, pod *corev1.Pod) {
	ref := owner(pod, "Job")
	if ref == nil || t.jobs[ref.UID] == nil || pod.Status.Phase != corev1.PodFailed ||
		!slices.Contains(old.Finalizers, batchv1.JobTrackingFinalizer) || slices.Contains(pod.Finalizers, batchv1.JobTrackingFinalizer) {
		return
	}
	s := t.jobs[ref.UID]
	job, ok := t.last[ref.UID].(*batchv1.Job)
	if _, uncounted := s.ends[pod.UID]; !ok || !uncounted {
		return
	}
	i, _ := jobcontroller.MatchingRule(job.Spec.PodFailurePolicy, pod)
	if i < 0 || job.Spec.PodFailurePolicy.Rules[i].Action != batchv1.PodFailurePolicyActionIgnore {
		return
	}
	step := t.sayOf("job/"+ref.Name, Plain, "does not count pod/"+pod.Name+" as failed", ruleText(i, &job.Spec.PodFailurePolicy.Rules[i]), s.ends[pod.UID])
	delete(s.ends, pod.UID)
	s.opened, s.openedWhy, s.room = step, "replaces pod/"+pod.Name, nil
	if job.Spec.BackoffLimitPerIndex == nil {
		s.row++
		t.jobBackOff(s, job, []types.UID{pod.UID}, step)
	}
}

// whyDeleted says why a Pod is deleted, where the actor does not say it already.
func (t *teller) whyDeleted(pod *corev1.Pod) string {
	ref := owner(pod, "Job")
	s, kind := t.workloadOwner(pod)
	switch name := controller(t.c.Actor); {
	case s != nil && name == kind:
		why, _ := t.workloadClosing(s, pod)
		return why
	case name == "job" && ref != nil && t.jobs[ref.UID] != nil:
		return t.jobs[ref.UID].closing()
	case name == "garbagecollector" && ref != nil:
		return "its owner, job/" + ref.Name + ", is gone or is being deleted"
	case name == "garbagecollector":
		return "its owner is gone or is being deleted"
	case name == "tainteviction":
		return "it does not tolerate a taint of " + pod.Spec.NodeName + " any longer"
	case name == "namespace":
		return "its namespace is being deleted"
	case name == "podgc":
		return cmp.Or(targetMessage(pod), "the garbage collector of Pods removes what nobody runs any more")
	case name == "fault":
		return "the Fault drains " + pod.Spec.NodeName
	}
	return ""
}

func targetMessage(pod *corev1.Pod) string {
	if _, c := podutil.GetPodCondition(&pod.Status, corev1.DisruptionTarget); c != nil && c.Status == corev1.ConditionTrue {
		return c.Message
	}
	return ""
}

func (t *teller) causesOfDeletion(pod *corev1.Pod) []int {
	p := t.podOf(pod.UID)
	if t.c.Type == watch.Deleted && p.deleted != none {
		return []int{p.deleted}
	}
	causes := []int{p.target}
	ref := owner(pod, "Job")
	s, kind := t.workloadOwner(pod)
	switch {
	case s != nil && controller(t.c.Actor) == kind:
		_, cause := t.workloadClosing(s, pod)
		causes = append(causes, cause)
	case s != nil && controller(t.c.Actor) == "garbagecollector":
		causes = append(causes, s.deleted)
	case controller(t.c.Actor) == "job" && ref != nil && t.jobs[ref.UID] != nil:
		causes = append(causes, t.jobs[ref.UID].closed)
	case controller(t.c.Actor) == "garbagecollector" && ref != nil && t.jobs[ref.UID] != nil:
		causes = append(causes, t.jobs[ref.UID].deleted)
	case slices.Contains([]string{"tainteviction", "nodelifecycle", "fault"}, controller(t.c.Actor)):
		causes = append(causes, t.nodeOf(pod.Spec.NodeName).step)
	}
	return causes
}

// indexBackOff tells of the wait of a failed Pod's index, if its Job has limits for each.
func (t *teller) indexBackOff(s *jobStory, ref *metav1.OwnerReference, pod *corev1.Pod, end int) {
	ix := pod.Annotations[batchv1.JobCompletionIndexAnnotation]
	if ix != "" {
		s.byIndex[ix] = failure{pod: pod.Name, step: end}
	}
	job, ok := t.last[ref.UID].(*batchv1.Job)
	if !ok || job.Spec.BackoffLimitPerIndex == nil || ending(job) {
		return
	}
	failures, wait, at, ok := jobcontroller.NextPodOfIndex(job, pod)
	if !ok || !at.After(t.c.Time) {
		return
	}
	what := fmt.Sprintf("index %s backs off %s from the Pod's end, until %s", ix, Offset(wait), t.since(at))
	why := fmt.Sprintf("its failure %d, of pod/%s; backoffLimitPerIndex %d", failures, pod.Name, *job.Spec.BackoffLimitPerIndex)
	step := t.sayBy("job", "job/"+ref.Name, Wait, what, why, end)
	s.byIndex[ix] = failure{pod: pod.Name, step: step}
	s.bars.backOff(t.c.Time, at)
}
