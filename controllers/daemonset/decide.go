package daemonset

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
	"k8s.io/kubernetes/pkg/controller/daemon/util"

	"github.com/kubesim-dev/kubesim/controllers/workload"
)

// cluster is what a decision may ask beyond the DaemonSet, its Pods and its revisions.
type cluster struct {
	// Nodes are sorted by name.
	Nodes []verdict
	// Patch is what a revision of the present template holds.
	Patch    []byte
	Failures failures
	// Revision finds an object in the DaemonSet's namespace, whosever it is.
	Revision func(name string) (*appsv1.ControllerRevision, bool)
}

// step is the state of a plan that is being made.
type step struct {
	cluster
	ds        *appsv1.DaemonSet
	pods      []*corev1.Pod
	revisions []*appsv1.ControllerRevision
	now       time.Time
	// current is the revision of ds' template, hash its label, and old are the others.
	current *appsv1.ControllerRevision
	hash    string
	old     []*appsv1.ControllerRevision
	// generation is the deprecated number of ds' template; nil if it has none.
	generation *int64
	// byNode are the Pods that count, by the Node for which they are.
	byNode map[string][]*corev1.Pod
	plan   plan
}

// decide is syncDaemonSet, k8s.io/kubernetes pkg/controller/daemon v1.37.2. It changes none
// of its arguments. pods and revisions are sorted by name.
func decide(ds *appsv1.DaemonSet, pods []*corev1.Pod, revisions []*appsv1.ControllerRevision, c cluster, now time.Time) plan {
	s := &step{cluster: c, ds: ds, pods: pods, revisions: revisions, now: now}
	s.plan.Failures = c.Failures.at(ds.Status.ObservedGeneration, now)
	s.revise()
	if s.plan.Collided {
		s.plan.Status = s.collided()
		return s.plan
	}
	s.hash = s.current.Labels[appsv1.DefaultDaemonSetUniqueLabelKey]
	if generation, err := util.GetTemplateGeneration(ds); err == nil {
		s.generation = generation
	}
	s.byNode = s.byTarget()
	s.manage()
	if len(s.plan.Create)+len(s.plan.Delete) == 0 && ds.Spec.UpdateStrategy.Type == appsv1.RollingUpdateDaemonSetStrategyType {
		if s.plan.Refusal = s.roll(); s.plan.Refusal != nil {
			s.plan.Delete = nil
		}
	}
	if len(s.plan.Create) > 0 {
		s.plan.Template = new(util.CreatePodTemplate(ds.Spec.Template, s.generation, s.hash))
	}
	s.plan.Trim = s.trim()
	s.plan.Status = s.status()
	if ds.Spec.MinReadySeconds > 0 {
		s.plan.AvailableAt = workload.NextAvailable(pods, ds.Spec.MinReadySeconds, now)
	}
	return s.plan
}

// byTarget sorts Pods by Node. One that has ended and is being deleted does not count: it
// only has a finalizer left. Source: getNodesToDaemonPods in k8s.io/kubernetes
// pkg/controller/daemon v1.37.2.
func (s *step) byTarget() map[string][]*corev1.Pod {
	byNode := map[string][]*corev1.Pod{}
	for _, pod := range s.pods {
		if podutil.IsPodTerminal(pod) && pod.DeletionTimestamp != nil {
			continue
		}
		if node, err := util.GetTargetNodeName(pod); err == nil {
			byNode[node] = append(byNode[node], pod)
		}
	}
	return byNode
}

// manage plans for each Node that there is a Pod, or none. Source: podsShouldBeOnNode in
// k8s.io/kubernetes pkg/controller/daemon v1.37.2.
func (s *step) manage() {
	known := make(map[string]bool, len(s.Nodes))
	for _, at := range s.Nodes {
		known[at.node.Name] = true
		pods, any := s.byNode[at.node.Name]
		switch {
		case at.run && !any:
			s.plan.Create = append(s.plan.Create, at.node.Name)
		case at.stay:
			s.tend(at, pods)
		default:
			s.remove(slices.DeleteFunc(slices.Clone(pods), isLeaving)...)
		}
	}
	// What waits for a Node that is gone never gets there, and podgc leaves it alone.
	for _, node := range slices.Sorted(maps.Keys(s.byNode)) {
		if known[node] {
			continue
		}
		for _, pod := range s.byNode[node] {
			if pod.Spec.NodeName == "" {
				s.remove(pod)
			}
		}
	}
}

func isLeaving(pod *corev1.Pod) bool { return pod.DeletionTimestamp != nil }

func (s *step) remove(pods ...*corev1.Pod) { s.plan.Delete = append(s.plan.Delete, pods...) }

// tend removes Pods that have ended from a Node, and those that are too many.
func (s *step) tend(at verdict, pods []*corev1.Pod) {
	var running []*corev1.Pod
	for _, pod := range pods {
		switch {
		case isLeaving(pod):
		case pod.Status.Phase == corev1.PodFailed:
			s.failed(at, pod)
		case pod.Status.Phase == corev1.PodSucceeded:
			s.tell(corev1.EventTypeNormal, "SucceededDaemonPod", "Found succeeded daemon pod %s/%s on node %s, will try to delete it", pod.Namespace, pod.Name, at.node.Name)
			s.remove(pod)
		default:
			running = append(running, pod)
		}
	}
	slices.SortFunc(running, oldestFirst)
	switch surges := util.AllowsSurge(s.ds); {
	case surges && len(running) == 0 && at.run:
		s.plan.Create = append(s.plan.Create, at.node.Name)
	case surges && len(running) > 1:
		s.pair(running)
	case len(running) > 1:
		s.remove(running[1:]...)
	}
}

// failed removes a failed Pod, unless another one has failed there a moment ago.
func (s *step) failed(at verdict, pod *corev1.Pod) {
	if !s.plan.Failures.add(at.node.Name, s.now) {
		return
	}
	s.tell(corev1.EventTypeWarning, "FailedDaemonPod", "Found failed daemon pod %s/%s on node %s, will try to kill it", pod.Namespace, pod.Name, at.node.Name)
	s.remove(pod)
}

func (s *step) tell(kind, reason, format string, args ...any) {
	s.plan.Events = append(s.plan.Events, event{kind, reason, fmt.Sprintf(format, args...)})
}

// pair leaves at most one Pod of each kind on a Node: an old one as long as it is ready and
// the new one is not available.
func (s *step) pair(running []*corev1.Pod) {
	var newest, old *corev1.Pod
	for _, pod := range running {
		switch isNew := pod.Labels[appsv1.ControllerRevisionHashLabelKey] == s.hash; {
		case isNew && newest == nil:
			newest = pod
		case !isNew && old == nil:
			old = pod
		default:
			s.remove(pod)
		}
	}
	if newest != nil && old != nil && (!podutil.IsPodReady(old) || s.isAvailable(newest)) {
		s.remove(old)
	}
}

func (s *step) isAvailable(pod *corev1.Pod) bool {
	return podutil.IsPodAvailable(pod, s.ds.Spec.MinReadySeconds, metav1.NewTime(s.now))
}

// isUpdated reports whether a Pod has the present template.
func (s *step) isUpdated(pod *corev1.Pod) bool { return util.IsPodUpdated(pod, s.hash, s.generation) }

// oldestFirst is podByCreationTimestampAndPhase, k8s.io/kubernetes pkg/controller/daemon
// v1.37.2: Pods that have a Node come first.
func oldestFirst(a, b *corev1.Pod) int {
	switch aWaits, bWaits := a.Spec.NodeName == "", b.Spec.NodeName == ""; {
	case aWaits && !bWaits:
		return 1
	case !aWaits && bWaits:
		return -1
	}
	return cmp.Or(
		a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
		cmp.Compare(a.Name, b.Name),
	)
}
