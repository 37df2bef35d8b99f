package statefulset

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"

	"github.com/kubesim-dev/kubesim/controllers/workload"
)

// cluster is what a decision may ask beyond the StatefulSet, its Pods and its revisions.
type cluster struct {
	Gates workload.Gates
	// Claim and Revision find an object in the StatefulSet's namespace, whosever it is.
	Claim    func(name string) (*corev1.PersistentVolumeClaim, bool)
	Revision func(name string) (*appsv1.ControllerRevision, bool)
}

// step is the state of a plan that is being made.
type step struct {
	cluster
	set       *appsv1.StatefulSet
	pods      []*corev1.Pod
	revisions []*appsv1.ControllerRevision
	now       time.Time
	// proposed is the revision of set's template, whether it is there or not. current and
	// update are those that Pods are to have before and after a rollout.
	proposed, current, update *appsv1.ControllerRevision
	collisions                int32
	// replicas are the Pods that set asks for, by ordinal, and condemned the others, from
	// the highest ordinal.
	replicas, condemned []*corev1.Pod
	plan                plan
}

// decide is UpdateStatefulSet, k8s.io/kubernetes pkg/controller/statefulset v1.37.2. It
// changes none of its arguments. revisions are sorted.
func decide(set *appsv1.StatefulSet, pods []*corev1.Pod, revisions []*appsv1.ControllerRevision, c cluster, now time.Time) (plan, error) {
	s := &step{cluster: c, set: set, pods: pods, revisions: revisions, now: now}
	if err := s.revise(); err != nil {
		return plan{}, err
	}
	s.plan.Trim = s.trim()
	currentSet, err := s.at(s.current)
	if err != nil {
		return s.plan, err
	}
	updateSet, err := s.at(s.update)
	if err != nil {
		return s.plan, err
	}
	if s.isRecreate() && !s.Gates.StatefulSetRecreateStrategy {
		s.plan.Refusal = fmt.Errorf("statefulset %s/%s uses Recreate strategy but feature gate StatefulSetRecreateStrategy is disabled", set.Namespace, set.Name)
		return s.plan, nil
	}
	s.sort(currentSet, updateSet)
	s.plan.Status = s.begin()
	if set.DeletionTimestamp != nil {
		s.count(pods)
	} else {
		s.act()
		s.count(slices.Concat(s.replicas, s.condemned))
	}
	s.complete()
	if s.plan.Status.ReadyReplicas != s.plan.Status.AvailableReplicas {
		s.wakeAt(workload.NextAvailable(pods, set.Spec.MinReadySeconds, now))
	}
	return s.plan, nil
}

func (s *step) isRecreate() bool {
	return s.set.Spec.UpdateStrategy.Type == appsv1.RecreateStatefulSetStrategyType
}

// isParallel reports whether Pods come and go without waiting for each other.
func (s *step) isParallel() bool {
	return s.set.Spec.PodManagementPolicy == appsv1.ParallelPodManagement
}

// sort says which Pods stay and which go, and makes those that are missing.
func (s *step) sort(currentSet, updateSet *appsv1.StatefulSet) {
	first := start(s.set)
	s.replicas = make([]*corev1.Pod, replicasOf(s.set))
	for _, pod := range s.pods {
		switch ordinal := ordinalOf(pod); {
		case inRange(s.set, ordinal):
			s.replicas[ordinal-first] = pod
		case ordinal >= 0:
			s.condemned = append(s.condemned, pod)
		}
	}
	for i, pod := range s.replicas {
		switch {
		case pod != nil:
		case s.isBefore(first + i):
			s.replicas[i] = newPod(currentSet, s.current.Name, first+i)
		default:
			s.replicas[i] = newPod(updateSet, s.update.Name, first+i)
		}
	}
	slices.SortStableFunc(s.condemned, func(a, b *corev1.Pod) int { return cmp.Compare(ordinalOf(b), ordinalOf(a)) })
}

// isBefore reports whether a new Pod gets the revision from before the rollout. Source:
// newVersionedStatefulSetPod in k8s.io/kubernetes pkg/controller/statefulset v1.37.2.
func (s *step) isBefore(ordinal int) bool {
	rolling := s.set.Spec.UpdateStrategy.RollingUpdate
	if rolling != nil {
		return ordinal < start(s.set)+partition(rolling)
	}
	return s.set.Spec.UpdateStrategy.Type == appsv1.RollingUpdateStatefulSetStrategyType && ordinal < start(s.set)+int(s.set.Status.CurrentReplicas)
}

func partition(rolling *appsv1.RollingUpdateStatefulSetStrategy) int {
	if rolling == nil || rolling.Partition == nil {
		return 0
	}
	return int(*rolling.Partition)
}

// act plans what happens to Pods: first those that set asks for, then those that it does
// not, then those that are to have another revision. Source: updateStatefulSet in
// k8s.io/kubernetes pkg/controller/statefulset v1.37.2.
func (s *step) act() {
	if s.isRecreate() && !s.recreate() {
		return
	}
	if s.each(s.replicas, s.tend) {
		return
	}
	s.each(s.condemned, s.disownClaims)
	unhealthy := s.firstUnavailable()
	if s.each(s.condemned, func(pod *corev1.Pod) ([]work, bool) { return s.condemn(pod, unhealthy) }) {
		return
	}
	if s.set.Spec.UpdateStrategy.Type == appsv1.RollingUpdateStatefulSetStrategyType || s.set.Spec.UpdateStrategy.Type == "" {
		s.roll()
	}
}

// each plans the work for Pods. In order, what one waits for ends the step: it reports
// that.
func (s *step) each(pods []*corev1.Pod, plan func(*corev1.Pod) (works []work, wait bool)) bool {
	p := phase{Together: s.isParallel()}
	for _, pod := range pods {
		works, wait := plan(pod)
		p.Pods = append(p.Pods, works)
		if wait && !p.Together {
			s.add(p)
			return true
		}
	}
	s.add(p)
	return false
}

// add adds a phase in which there is something to do.
func (s *step) add(p phase) {
	if slices.ContainsFunc(p.Pods, func(works []work) bool { return len(works) > 0 }) {
		s.plan.Phases = append(s.plan.Phases, p)
	}
}

// tend is processReplica, k8s.io/kubernetes pkg/controller/statefulset v1.37.2.
func (s *step) tend(pod *corev1.Pod) (works []work, wait bool) {
	switch {
	case isTerminal(pod):
		return s.replace(pod), true
	case !isCreated(pod) && s.isStale(pod):
		return nil, true
	case !isCreated(pod):
		w := work{verb: create, Pod: pod}
		w.Claims, w.Refusals = s.missing(ordinalOf(pod))
		w.Owners = s.owners(pod)
		return []work{w}, true
	}
	var pending work
	if pod.Status.Phase == corev1.PodPending {
		if pending = s.claimsOf(pod); !pending.isNothing() {
			works = append(works, pending)
		}
	}
	if !s.isParallel() && (pod.DeletionTimestamp != nil || !isReady(pod) || !s.isAvailable(pod)) {
		return works, true
	}
	return append(works, s.repair(pod, !change(pending.Owners))...), false
}

// replaceAfter is how long a Pod has been there before it is replaced.
//
// Deviation: one that its node refuses at once is replaced after this time. Upstream
// replaces it as fast as API server and kubelet answer, which takes time there and none
// here: it would never end at one instant. Unit: virtual time.
const replaceAfter = time.Second

// replace deletes a Pod that has ended. Its successor comes when it is gone.
func (s *step) replace(pod *corev1.Pod) []work {
	at := pod.CreationTimestamp.Add(replaceAfter)
	switch {
	case pod.DeletionTimestamp != nil:
		return nil
	case at.After(s.now):
		s.wakeAt(at)
		return nil
	}
	return []work{{verb: remove, Pod: pod}}
}

// wakeAt plans a step; a zero instant never comes.
func (s *step) wakeAt(at time.Time) {
	if s.plan.WakeAt.IsZero() || !at.IsZero() && at.Before(s.plan.WakeAt) {
		s.plan.WakeAt = at
	}
}

// claimsOf creates claims that were deleted, and changes owners.
func (s *step) claimsOf(pod *corev1.Pod) work {
	w := work{verb: claims, Pod: pod}
	w.Claims, w.Refusals = s.missing(ordinalOf(pod))
	w.Owners = s.owners(pod)
	return w
}

func (w work) isNothing() bool {
	return len(w.Claims)+len(w.Refusals)+len(w.Owners) == 0
}

// repair gives a Pod back what somebody has taken from it, and its claims if it is to look
// after them. Source: UpdateStatefulPod in k8s.io/kubernetes pkg/controller/statefulset
// v1.37.2, which then updates the Pod in any case.
func (s *step) repair(pod *corev1.Pod, claims bool) []work {
	identified, mounted := identified(s.set, pod), mounted(s.set, pod)
	w := work{verb: modify}
	if claims {
		w.Owners = s.owners(pod)
	}
	if !change(w.Owners) {
		w.Owners = nil
	}
	if identified && mounted && w.Owners == nil {
		return nil
	}
	next := *pod
	if !identified {
		identify(s.set, &next)
	}
	if !mounted {
		mount(s.set, &next)
		w.Claims, w.Refusals = s.missing(ordinalOf(pod))
	}
	w.Pod = &next
	return []work{w}
}

// disownClaims makes the claims of a Pod that is to go its own, or the StatefulSet's.
func (s *step) disownClaims(pod *corev1.Pod) ([]work, bool) {
	owners := s.owners(pod)
	if !change(owners) {
		return nil, false
	}
	return []work{{verb: disown, Pod: pod, Owners: owners}}, false
}

// condemn is processCondemned, k8s.io/kubernetes pkg/controller/statefulset v1.37.2.
func (s *step) condemn(pod, unhealthy *corev1.Pod) ([]work, bool) {
	if pod.DeletionTimestamp != nil || !s.isParallel() && (!isReady(pod) || !s.isAvailable(pod)) && pod != unhealthy {
		return nil, true
	}
	return []work{{verb: remove, Pod: pod}}, true
}

// firstUnavailable returns the Pod with the lowest ordinal of those that are not
// available; those that set asks for come first.
func (s *step) firstUnavailable() *corev1.Pod {
	for _, pod := range s.replicas {
		if s.isUnavailable(pod) {
			return pod
		}
	}
	for _, pod := range slices.Backward(s.condemned) {
		if s.isUnavailable(pod) {
			return pod
		}
	}
	return nil
}

// isCreated reports whether the API has the Pod, which it gives a phase.
func isCreated(pod *corev1.Pod) bool { return pod.Status.Phase != "" }

func isTerminal(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded
}

func isReady(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodRunning && podutil.IsPodReady(pod)
}

func (s *step) isAvailable(pod *corev1.Pod) bool {
	return podutil.IsPodAvailable(pod, s.set.Spec.MinReadySeconds, metav1.NewTime(s.now))
}

func (s *step) isUnavailable(pod *corev1.Pod) bool {
	return !s.isAvailable(pod) || pod.DeletionTimestamp != nil
}
