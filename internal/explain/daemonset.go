package explain

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
	daemonutil "k8s.io/kubernetes/pkg/controller/daemon/util"
)

// daemonSet tells how a DaemonSet has changed.
func (t *teller) daemonSet(old, ds *appsv1.DaemonSet) {
	s := t.workloadOf(ds.UID)
	if t.c.Type == watch.Added {
		t.created[ds.UID] = t.say(Plain, "created: "+words(", ", "a Pod on each Node that it fits", daemonStrategy(ds), minReadyText(ds.Spec.MinReadySeconds)), "")
		s.grown(t.created[ds.UID], "")
	}
	if t.workloadEnds(s, orNothing(old), ds) {
		return
	}
	if old == nil {
		old = &appsv1.DaemonSet{Spec: ds.Spec}
	}
	t.daemonSetSpec(s, old, ds)
	st := &ds.Status
	if was := old.Status.DesiredNumberScheduled; was != st.DesiredNumberScheduled && old.Status.ObservedGeneration > 0 {
		t.say(Plain, fmt.Sprintf("is for %s now, before %d", count(int(st.DesiredNumberScheduled), "Node"), was), "")
	}
	s.short = s.short || st.NumberAvailable < st.DesiredNumberScheduled
	if daemonDone(ds) && !daemonDone(old) {
		nodes := count(int(st.DesiredNumberScheduled), "Node")
		if s.rolled != s.newest {
			t.say(Good, "rolled out: "+t.revision(s.newest)+" on "+nodes, "", s.ready, s.opened)
		} else if s.short {
			t.say(Good, "ready on all of "+nodes, "", s.ready)
		}
		s.rolled, s.short = s.newest, false
	}
	s.track.set(phaseOfDaemons(ds), t.c.Time)
}

// daemonStrategy is the update strategy of a DaemonSet, as it was written.
func daemonStrategy(ds *appsv1.DaemonSet) string {
	unavailable, surge := daemonAtOnce(ds)
	text := string(ds.Spec.UpdateStrategy.Type)
	if unavailable != "1" && unavailable != "0" {
		text += " with maxUnavailable " + unavailable
	}
	if surge != "0" {
		text += " with maxSurge " + surge
	}
	return text
}

// daemonAtOnce are maxUnavailable and maxSurge, as they were written.
func daemonAtOnce(ds *appsv1.DaemonSet) (unavailable, surge string) {
	unavailable, surge = "1", "0"
	if r := ds.Spec.UpdateStrategy.RollingUpdate; r != nil {
		if r.MaxUnavailable != nil {
			unavailable = r.MaxUnavailable.String()
		}
		if r.MaxSurge != nil {
			surge = r.MaxSurge.String()
		}
	}
	return unavailable, surge
}

// daemonsReady reports whether every Node has an available Pod.
func daemonsReady(ds *appsv1.DaemonSet) bool {
	return ds.Status.ObservedGeneration >= ds.Generation && ds.Status.NumberAvailable == ds.Status.DesiredNumberScheduled
}

func daemonDone(ds *appsv1.DaemonSet) bool {
	return daemonsReady(ds) && ds.Status.DesiredNumberScheduled > 0 && ds.Status.UpdatedNumberScheduled == ds.Status.DesiredNumberScheduled
}

// phaseOfDaemons is Paused while only somebody else can let a rollout go on.
func phaseOfDaemons(ds *appsv1.DaemonSet) Phase {
	switch {
	case daemonDone(ds), daemonsReady(ds) && ds.Status.DesiredNumberScheduled == 0:
		return ""
	case daemonsReady(ds) && ds.Spec.UpdateStrategy.Type == appsv1.OnDeleteDaemonSetStrategyType:
		return Paused
	}
	return RollingOut
}

// daemonSetSpec tells what somebody wants to be otherwise.
func (t *teller) daemonSetSpec(s *workloadStory, old, ds *appsv1.DaemonSet) {
	was, is := &old.Spec, &ds.Spec
	t.templateChanged(s, &was.Template, &is.Template)
	wasMost, wasSurge := daemonAtOnce(old)
	most, surge := daemonAtOnce(ds)
	if step := t.changed(fieldChange{"updateStrategy", string(was.UpdateStrategy.Type), string(is.UpdateStrategy.Type)},
		fieldChange{"maxUnavailable", wasMost, most}, fieldChange{"maxSurge", wasSurge, surge}); step != none {
		s.grown(step, "the updateStrategy has changed")
	}
	t.changed(fieldChange{"minReadySeconds", fmt.Sprint(was.MinReadySeconds), fmt.Sprint(is.MinReadySeconds)},
		fieldChange{"revisionHistoryLimit", text(was.RevisionHistoryLimit), text(is.RevisionHistoryLimit)})
}

// whyDaemon says why a DaemonSet creates a Pod.
func (t *teller) whyDaemon(s *workloadStory, ds *appsv1.DaemonSet, pod *corev1.Pod) (why string, cause int) {
	node := placeName(pod)
	place := s.placeOf(node)
	if beside := t.daemonOn(ds, node, pod); beside != nil && hashOf(beside) != hashOf(pod) {
		_, surge := daemonAtOnce(ds)
		return fmt.Sprintf("maxSurge %s: it starts beside pod/%s of %s", surge, beside.Name, t.revision(hashOf(beside))), s.opened
	}
	switch {
	case place.left != "":
		return place.left, place.gone
	case s.openedWhy != "" || s.rolled != "":
		return node + " had none", s.opened
	}
	return "", s.opened
}

// daemonOn is another Pod of a DaemonSet that a Node has and that stays there.
func (t *teller) daemonOn(ds *appsv1.DaemonSet, node string, than *corev1.Pod) *corev1.Pod {
	for _, pod := range t.podsOwnedBy("DaemonSet", ds) {
		if pod.UID != than.UID && placeName(pod) == node && pod.DeletionTimestamp == nil {
			return pod
		}
	}
	return nil
}

// whyDaemonGoes says why a DaemonSet deletes a Pod.
func (t *teller) whyDaemonGoes(s *workloadStory, ds *appsv1.DaemonSet, pod *corev1.Pod) (why string, cause int) {
	node := placeName(pod)
	switch next := t.daemonOn(ds, node, pod); {
	case podutil.IsPodTerminal(pod):
		return "it has ended: another takes its place", t.podOf(pod.UID).end
	case next != nil && hashOf(next) == s.newest && podutil.IsPodReady(next):
		return "replaced by pod/" + next.Name, max(s.placeOf(node).ready, s.opened)
	case hashOf(pod) == s.newest || ds.Spec.UpdateStrategy.Type == appsv1.OnDeleteDaemonSetStrategyType:
		return node + " does not fit any more, or has another Pod", s.opened
	}
	why = "it has " + t.revision(hashOf(pod)) + ", not " + t.revision(s.newest)
	if !podutil.IsPodReady(pod) {
		return why + ", and is not ready", s.opened
	}
	most, surge := daemonAtOnce(ds)
	if surge != "0" {
		return why, s.opened
	}
	why += fmt.Sprintf("; maxUnavailable %s", most)
	if s.ready > s.opened {
		return why + ": pod/" + s.readyPod + " has become ready", s.ready
	}
	return why, s.opened
}

// daemonsWait tells, at the end of the story, why a DaemonSet is not what it should be.
func (t *teller) daemonsWait(ds *appsv1.DaemonSet) {
	st := &ds.Status
	if t.gone[ds.UID] || ds.DeletionTimestamp != nil || daemonDone(ds) || st.ObservedGeneration > 0 && st.DesiredNumberScheduled == 0 {
		return
	}
	s := t.workloadOf(ds.UID)
	var parts, old []string
	for _, pod := range t.podsOwnedBy("DaemonSet", ds) {
		name := "pod/" + pod.Name + " on " + placeName(pod)
		switch {
		case podutil.IsPodTerminal(pod):
		case pod.DeletionTimestamp != nil:
			parts = append(parts, name+" is being deleted")
		case !podutil.IsPodReady(pod):
			parts = append(parts, name+": "+unreadyText(pod))
		case hashOf(pod) != s.newest:
			old = append(old, "pod/"+pod.Name)
		}
	}
	if n := len(parts) - someMax; n > 1 {
		parts = append(parts[:someMax], fmt.Sprintf("%d more Pods are not ready", n))
	}
	if missing := int(st.DesiredNumberScheduled - st.CurrentNumberScheduled); missing > 0 {
		parts = append(parts, words(": ", count(missing, "Node")+map[bool]string{true: " has", false: " have"}[missing == 1]+" no Pod", s.refused))
	}
	if len(old) > 0 {
		parts = append(parts, t.oldDaemons(ds, old))
	}
	what := "has not rolled out: "
	if s.rolled == s.newest {
		what = "is not complete: "
	}
	t.waits("daemonset", ds.Name, what+fmt.Sprintf("%d of %s have a Pod of %s, %d have an available one",
		st.UpdatedNumberScheduled, count(int(st.DesiredNumberScheduled), "Node"), t.revision(s.newest), st.NumberAvailable), parts, s.opened)
}

// oldDaemons says why Pods of older revisions are still there.
func (t *teller) oldDaemons(ds *appsv1.DaemonSet, old []string) string {
	if ds.Spec.UpdateStrategy.Type == appsv1.OnDeleteDaemonSetStrategyType {
		return "updateStrategy OnDelete: delete " + some(old) + " to replace them"
	}
	desired := int(ds.Status.DesiredNumberScheduled)
	if surge, err := daemonutil.SurgeCount(ds, desired); err == nil && surge > 0 {
		return fmt.Sprintf("%s of older revisions: at most %s may have a second one (maxSurge)", count(len(old), "Pod"), count(surge, "Node"))
	}
	unavailable, err := daemonutil.UnavailableCount(ds, desired)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%s of older revisions: at most %s may be without an available one (maxUnavailable)", count(len(old), "Pod"), count(max(unavailable, 1), "Node"))
}
