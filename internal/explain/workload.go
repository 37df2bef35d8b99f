package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
	daemonutil "k8s.io/kubernetes/pkg/controller/daemon/util"
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
	// places are what is known of the ordinals of a StatefulSet, or of the nodes of a
	// DaemonSet.
	places map[string]*place
	// rolled is the revision that was told last to have rolled out. refused is why the
	// last Pod could not be created.
	rolled, refused string
	// newest is the ControllerRevision of the template. short says that Pods were missing
	// or not ready since it was told that all are ready.
	newest string
	short  bool
	// ready is the step that shows a Pod of it ready, readyPod the Pod.
	ready    int
	readyPod string
	track    track
}

func (t *teller) workloadOf(uid types.UID) *workloadStory {
	s := t.workloads[uid]
	if s == nil {
		s = &workloadStory{opened: none, closed: none, deleted: none, freed: none, ready: none, places: map[string]*place{}}
		t.workloads[uid] = s
	}
	return s
}

// place is an ordinal or a node, which has one Pod after the other.
type place struct {
	// ready is the step that shows its Pod ready, gone the last one of the Pod before.
	ready, gone int
	// left says whom the next Pod replaces, if there was one.
	left string
}

func (s *workloadStory) placeOf(name string) *place {
	if s.places[name] == nil {
		s.places[name] = &place{ready: none, gone: none}
	}
	return s.places[name]
}

// workloadOwner returns the story of what keeps a Pod, if it is told.
func (t *teller) workloadOwner(pod *corev1.Pod) (*workloadStory, string) {
	for _, kind := range []string{"ReplicaSet", "StatefulSet", "DaemonSet"} {
		if ref := owner(pod, kind); ref != nil && t.last[ref.UID] != nil {
			return t.workloadOf(ref.UID), strings.ToLower(kind)
		}
	}
	return nil, ""
}

// workloadEnds tells that a workload is deleted, and reports whether it is gone.
func (t *teller) workloadEnds(s *workloadStory, old, o Object) bool {
	step := t.deletion(old, o, "")
	if t.c.Type != watch.Deleted {
		if step != none {
			s.deleted = step
		}
		return false
	}
	s.track.set("", t.c.Time)
	return true
}

// workloadOpening says why a workload has created a Pod.
func (t *teller) workloadOpening(s *workloadStory, pod *corev1.Pod) (what, why string, cause int) {
	s.refused = ""
	if ref := owner(pod, "StatefulSet"); ref != nil {
		if set, ok := t.last[ref.UID].(*appsv1.StatefulSet); ok {
			why, cause = t.whyOrdinal(s, set, pod)
			return words(", ", "created with "+t.revision(hashOf(pod)), claimsText(pod)), why, cause
		}
	}
	if ref := owner(pod, "DaemonSet"); ref != nil {
		if ds, ok := t.last[ref.UID].(*appsv1.DaemonSet); ok {
			why, cause = t.whyDaemon(s, ds, pod)
			return "created with " + t.revision(hashOf(pod)) + " for " + placeName(pod), why, cause
		}
	}
	why, cause = s.opening()
	return "created", why, cause
}

// workloadClosing says why a workload deletes a Pod.
func (t *teller) workloadClosing(s *workloadStory, pod *corev1.Pod) (why string, cause int) {
	if ref := owner(pod, "StatefulSet"); ref != nil {
		if set, ok := t.last[ref.UID].(*appsv1.StatefulSet); ok {
			return t.whyOrdinalGoes(s, set, pod)
		}
	}
	if ref := owner(pod, "DaemonSet"); ref != nil {
		if ds, ok := t.last[ref.UID].(*appsv1.DaemonSet); ok {
			return t.whyDaemonGoes(s, ds, pod)
		}
	}
	return s.closedWhy, s.closed
}

// claimsText names the claims of a Pod.
func claimsText(pod *corev1.Pod) string {
	var names []string
	for _, v := range pod.Spec.Volumes {
		if v.PersistentVolumeClaim != nil {
			names = append(names, v.PersistentVolumeClaim.ClaimName)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "claim " + some(names)
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
	name := placeName(pod)
	if podutil.IsPodReady(pod) && !podutil.IsPodReady(old) {
		s.ready, s.readyPod = t.lastStepOf("pod/"+pod.Name), pod.Name
		s.placeOf(name).ready = s.ready
	}
	if t.c.Type == watch.Deleted && name != "" {
		place := s.placeOf(name)
		place.gone = t.lastStepOf("pod/" + pod.Name)
		place.left = t.leftText(p, pod, kind)
	}
}

// placeName is the ordinal or the node of a Pod, empty if its owner knows none.
func placeName(pod *corev1.Pod) string {
	if owner(pod, "StatefulSet") != nil {
		return pod.Name
	}
	if owner(pod, "DaemonSet") == nil {
		return ""
	}
	node, err := daemonutil.GetTargetNodeName(pod)
	if err != nil {
		return pod.Spec.NodeName
	}
	return node
}

// leftText says whom the next Pod of a place replaces.
func (t *teller) leftText(p *podStory, pod *corev1.Pod, kind string) string {
	if kind == "daemonset" { // its Pods have names of their own
		return "replaces pod/" + pod.Name + " of " + t.revision(hashOf(pod))
	}
	switch {
	case p.deleted != none && t.story.Steps[p.deleted].By != kind:
		return "replaces the Pod that " + t.story.Steps[p.deleted].By + " has deleted"
	case p.end != none && (p.deleted == none || p.end < p.deleted):
		return "replaces the Pod that has ended"
	}
	return "replaces the Pod of " + t.revision(hashOf(pod))
}

// hashOf is the revision of a Pod of a StatefulSet or a DaemonSet.
func hashOf(pod *corev1.Pod) string { return pod.Labels[appsv1.ControllerRevisionHashLabelKey] }

// controllerRevision tells of a template that a workload has had.
func (t *teller) controllerRevision(old, r *appsv1.ControllerRevision) {
	name := revisionName(r)
	before := t.revisions[name]
	t.revisions[name] = r.Revision
	ref := cmp.Or(owner(r, "StatefulSet"), owner(r, "DaemonSet"))
	if ref == nil {
		return
	}
	s := t.workloadOf(ref.UID)
	if t.c.Type != watch.Deleted && r.Revision >= t.revisions[s.newest] {
		s.newest = name
	}
	switch {
	case t.c.Type == watch.Added:
		t.created[r.UID] = t.say(Plain, fmt.Sprintf("is revision %d", r.Revision), s.openedWhy, s.opened)
	case t.c.Type == watch.Deleted && controller(t.c.Actor) == "garbagecollector":
		t.say(Plain, "deleted", "its owner is gone or is being deleted", s.deleted)
	case t.c.Type == watch.Deleted:
		t.say(Plain, "deleted", "revisionHistoryLimit of its "+ref.Kind)
	case old != nil && before != r.Revision:
		t.say(Plain, fmt.Sprintf("is revision %d now, before %d", r.Revision, before), "the template is its own again", s.opened)
	}
}

// revisionName is how Pods name their template: the label of a DaemonSet's Pods is its hash.
func revisionName(r *appsv1.ControllerRevision) string {
	if owner(r, "DaemonSet") != nil {
		return r.Labels[appsv1.DefaultDaemonSetUniqueLabelKey]
	}
	return r.Name
}

// revision names a template by its number, if that is known.
func (t *teller) revision(name string) string {
	if n, ok := t.revisions[name]; ok {
		return fmt.Sprintf("revision %d", n)
	}
	return words(" ", "revision", name)
}

// podsOwnedBy are the Pods of a workload that are there, the oldest first.
func (t *teller) podsOwnedBy(kind string, of Object) (pods []*corev1.Pod) {
	for _, o := range t.sorted(func(o Object) bool { ref := owner(o, kind); return ref != nil && ref.UID == of.GetUID() }) {
		if pod, ok := o.(*corev1.Pod); ok && !t.gone[pod.UID] {
			pods = append(pods, pod)
		}
	}
	return pods
}

// waits tells, at the end of the story, what the target waits for.
func (t *teller) waits(kind, name, what string, parts []string, cause int) {
	t.story.Steps = append(t.story.Steps, Step{
		At: t.story.Now, Revision: t.c.Revision, By: kind, Object: kind + "/" + name, Tone: Wait,
		What: what, Why: strings.Join(parts, "; "), Causes: causesOf(cause),
	})
}

func causesOf(step int) []int {
	if step == none {
		return nil
	}
	return []int{step}
}

// templateChanged tells that there is another template.
func (t *teller) templateChanged(s *workloadStory, was, is *corev1.PodTemplateSpec) {
	if !util.EqualIgnoreHash(was, is) {
		s.grown(t.say(Outside, templateChanges(was, is), ""), "the template has changed")
		s.ready, s.rolled = none, ""
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
