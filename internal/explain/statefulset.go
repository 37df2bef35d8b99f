package explain

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
	"k8s.io/utils/ptr"
)

// statefulSet tells how a StatefulSet has changed.
func (t *teller) statefulSet(old, set *appsv1.StatefulSet) {
	s := t.workloadOf(set.UID)
	if t.c.Type == watch.Added {
		t.created[set.UID] = t.say(Plain, "created: "+words(", ", count(int(ptr.Deref(set.Spec.Replicas, 1)), "replica"),
			string(set.Spec.PodManagementPolicy), ordinalsStrategy(set), minReadyText(set.Spec.MinReadySeconds)), "")
		s.grown(t.created[set.UID], "")
	}
	if t.workloadEnds(s, orNothing(old), set) {
		return
	}
	if old == nil {
		old = &appsv1.StatefulSet{Spec: set.Spec}
	}
	t.statefulSetSpec(s, old, set)
	is, was := ordinalsDone(set), ordinalsDone(old)
	s.short = s.short || set.Status.ReadyReplicas < ptr.Deref(set.Spec.Replicas, 1)
	if is && !was {
		if s.rolled != set.Status.UpdateRevision {
			t.say(Good, "rolled out: "+t.revision(set.Status.UpdateRevision)+untilPartition(set), "", s.ready, s.opened)
		} else if s.short {
			t.say(Good, fmt.Sprintf("all %s are ready", count(int(set.Status.Replicas), "replica")), "", s.ready)
		}
		s.rolled, s.short = set.Status.UpdateRevision, false
	}
	s.track.set(phaseOfOrdinals(set), t.c.Time)
}

// ordinalsStrategy is the update strategy of a StatefulSet, as it was written.
func ordinalsStrategy(set *appsv1.StatefulSet) string {
	text := string(set.Spec.UpdateStrategy.Type)
	if n := ordinalsAtOnce(set); n != "1" {
		text += " with maxUnavailable " + n
	}
	return text + untilPartition(set)
}

// ordinalsAtOnce is how many Pods a rollout may make unavailable, as it was written.
func ordinalsAtOnce(set *appsv1.StatefulSet) string {
	if r := set.Spec.UpdateStrategy.RollingUpdate; r != nil && r.MaxUnavailable != nil {
		return r.MaxUnavailable.String()
	}
	return "1"
}

func partition(set *appsv1.StatefulSet) int {
	if r := set.Spec.UpdateStrategy.RollingUpdate; r != nil {
		return int(ptr.Deref(r.Partition, 0))
	}
	return 0
}

func untilPartition(set *appsv1.StatefulSet) string {
	if partition(set) == 0 {
		return ""
	}
	return fmt.Sprintf(", down to partition %d", partition(set))
}

// ordinalsReady reports whether every Pod is there and available.
func ordinalsReady(set *appsv1.StatefulSet) bool {
	st, want := &set.Status, ptr.Deref(set.Spec.Replicas, 1)
	return st.ObservedGeneration >= set.Generation && st.Replicas == want && st.ReadyReplicas == want && st.AvailableReplicas == want
}

// ordinalsDone reports whether a rollout has come as far as its strategy lets it.
func ordinalsDone(set *appsv1.StatefulSet) bool {
	want := int(ptr.Deref(set.Spec.Replicas, 1)) - partition(set)
	return ordinalsReady(set) && (set.Status.CurrentRevision == set.Status.UpdateRevision || int(set.Status.UpdatedReplicas) >= max(want, 0) && partition(set) > 0)
}

// phaseOfOrdinals is Paused while only somebody else can let a rollout go on.
func phaseOfOrdinals(set *appsv1.StatefulSet) Phase {
	switch {
	case ordinalsReady(set) && set.Status.CurrentRevision == set.Status.UpdateRevision:
		return ""
	case ordinalsDone(set), ordinalsReady(set) && set.Spec.UpdateStrategy.Type == appsv1.OnDeleteStatefulSetStrategyType:
		return Paused
	}
	return RollingOut
}

// statefulSetSpec tells what somebody wants to be otherwise.
func (t *teller) statefulSetSpec(s *workloadStory, old, set *appsv1.StatefulSet) {
	was, is := &old.Spec, &set.Spec
	t.templateChanged(s, &was.Template, &is.Template)
	if a, b := ptr.Deref(was.Replicas, 1), ptr.Deref(is.Replicas, 1); a != b {
		step := t.say(Outside, fmt.Sprintf("replicas changed from %d to %d", a, b), "")
		s.grown(step, fmt.Sprintf("replicas are %d now", b))
		s.shrunk(step, s.openedWhy)
	}
	if step := t.changed(fieldChange{"updateStrategy", string(was.UpdateStrategy.Type), string(is.UpdateStrategy.Type)},
		fieldChange{"partition", fmt.Sprint(partition(old)), fmt.Sprint(partition(set))},
		fieldChange{"maxUnavailable", ordinalsAtOnce(old), ordinalsAtOnce(set)}); step != none {
		s.grown(step, "the updateStrategy has changed")
		s.ready = none
	}
	t.changed(fieldChange{"minReadySeconds", fmt.Sprint(was.MinReadySeconds), fmt.Sprint(is.MinReadySeconds)},
		fieldChange{"revisionHistoryLimit", text(was.RevisionHistoryLimit), text(is.RevisionHistoryLimit)})
}

// ordinalName is the name of a StatefulSet's Pod.
func ordinalName(set *appsv1.StatefulSet, ordinal int) string {
	return fmt.Sprintf("%s-%d", set.Name, ordinal)
}

// ordinals are the lowest and the highest ordinal that a StatefulSet asks for.
func ordinals(set *appsv1.StatefulSet) (first, last int) {
	if set.Spec.Ordinals != nil {
		first = int(set.Spec.Ordinals.Start)
	}
	return first, first + int(ptr.Deref(set.Spec.Replicas, 1)) - 1
}

func ordinalOf(set *appsv1.StatefulSet, pod *corev1.Pod) int {
	ordinal := none
	if text, ok := strings.CutPrefix(pod.Name, set.Name+"-"); ok {
		if _, err := fmt.Sscan(text, &ordinal); err != nil {
			return none
		}
	}
	return ordinal
}

func isParallel(set *appsv1.StatefulSet) bool {
	return set.Spec.PodManagementPolicy == appsv1.ParallelPodManagement
}

// whyOrdinal says why a StatefulSet creates a Pod.
func (t *teller) whyOrdinal(s *workloadStory, set *appsv1.StatefulSet, pod *corev1.Pod) (why string, cause int) {
	place := s.placeOf(pod.Name)
	if place.left != "" {
		return place.left, place.gone
	}
	first, _ := ordinals(set)
	if ordinal := ordinalOf(set, pod); !isParallel(set) && ordinal > first {
		before := ordinalName(set, ordinal-1)
		return "pod/" + before + " is ready", max(s.placeOf(before).ready, s.opened)
	}
	return s.openedWhy, s.opened
}

// whyOrdinalGoes says why a StatefulSet deletes a Pod.
func (t *teller) whyOrdinalGoes(s *workloadStory, set *appsv1.StatefulSet, pod *corev1.Pod) (why string, cause int) {
	first, last := ordinals(set)
	ordinal := ordinalOf(set, pod)
	switch {
	case ordinal > last || ordinal < first:
		return words(": ", s.closedWhy, map[bool]string{false: "the last Pod goes first"}[isParallel(set)]), s.closed
	case podutil.IsPodTerminal(pod):
		return "it has ended: another takes its name", t.podOf(pod.UID).end
	}
	update := "it has " + t.revision(hashOf(pod)) + ", not " + t.revision(s.newest)
	switch next := s.placeOf(ordinalName(set, ordinal+1)); {
	case set.Spec.UpdateStrategy.Type == appsv1.RecreateStatefulSetStrategyType:
		return update + "; strategy Recreate: nothing new starts before the old Pods are gone", s.opened
	case ordinal < last && next.ready > s.opened:
		return update + ", and pod/" + ordinalName(set, ordinal+1) + " is ready", next.ready
	case ordinal == last:
		return update + "; a rollout begins with the last Pod", s.opened
	}
	return update, max(s.opened, s.ready)
}

// ordinalsWait tells, at the end of the story, why a StatefulSet is not what it should be.
func (t *teller) ordinalsWait(set *appsv1.StatefulSet) {
	st, want := &set.Status, int(ptr.Deref(set.Spec.Replicas, 1))
	if t.gone[set.UID] || set.DeletionTimestamp != nil || ordinalsReady(set) && st.CurrentRevision == st.UpdateRevision {
		return
	}
	pods := map[string]*corev1.Pod{}
	for _, pod := range t.podsOwnedBy("StatefulSet", set) {
		pods[pod.Name] = pod
	}
	s := t.workloadOf(set.UID)
	var parts, old, kept []string
	updated := 0
	first, last := ordinals(set)
	for i := first; i <= last; i++ {
		name := ordinalName(set, i)
		pod := pods[name]
		switch isOld := pod != nil && hashOf(pod) != st.UpdateRevision; {
		case pod == nil || pod.DeletionTimestamp != nil || !podutil.IsPodReady(pod):
			if len(parts) == 0 || isParallel(set) {
				parts = append(parts, t.ordinalWaits(s, set, name, pod))
			}
		case isOld && i < first+partition(set):
			kept = append(kept, "pod/"+name)
		case isOld:
			old = append(old, "pod/"+name)
		default:
			updated++
		}
	}
	if len(kept) > 0 {
		parts = append(parts, fmt.Sprintf("partition %d lets %s have an older revision", partition(set), some(kept)))
	}
	if len(old) > 0 && set.Spec.UpdateStrategy.Type == appsv1.OnDeleteStatefulSetStrategyType {
		parts = append(parts, "updateStrategy OnDelete: delete "+some(old)+" to replace them")
	}
	what := "has not rolled out: "
	switch {
	case len(kept) > 0 && ordinalsDone(set):
		what = fmt.Sprintf("holds at partition %d: ", partition(set))
	case s.rolled == st.UpdateRevision:
		what = "is not complete: "
	}
	t.waits("statefulset", set.Name, what+fmt.Sprintf("%d of %s have %s and are ready", updated, count(want, "replica"), t.revision(st.UpdateRevision)), parts, s.opened)
}

// ordinalWaits says what one Pod waits for, and what that keeps from happening.
func (t *teller) ordinalWaits(s *workloadStory, set *appsv1.StatefulSet, name string, pod *corev1.Pod) string {
	if pod == nil {
		return words(": ", "pod/"+name+" is missing", s.refused)
	}
	text := "pod/" + name + ": " + unreadyText(pod)
	switch {
	case pod.DeletionTimestamp != nil:
		return "pod/" + name + " is being deleted"
	case isParallel(set):
		return text
	case hashOf(pod) != set.Status.UpdateRevision:
		return text + "; it has " + t.revision(hashOf(pod)) + ", but OrderedReady replaces no Pod before it is ready: 'kubectl delete pod " + name + "' lets the rollout go on"
	}
	return text + "; OrderedReady touches no other Pod before it is ready"
}
