// Package snapshot is the scheduler's picture of the Nodes and of the Pods that are bound to
// them, in the form in which upstream's plugins read it.
//
// Invariant: it follows from the Nodes and the Pods alone, except for the order of the Pods
// of one Node, which no plugin's answer depends on. Lists are sorted by name.
//
// Upstream keeps a cache and copies what has changed into a snapshot for each Pod. Here,
// nothing changes while a Pod is placed, so that the cache is the snapshot.
package snapshot

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"
	schedulinghelper "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

// Snapshot implements upstream's listers of Nodes.
type Snapshot struct {
	// nodes are the present Nodes by name.
	nodes []fwk.NodeInfo
	// byName holds also those that Pods are bound to but that do not exist.
	byName map[string]*framework.NodeInfo
	// bound are the Pods that take something of a Node.
	bound map[types.NamespacedName]*framework.PodInfo
	// claims counts the Pods of bound that have a claim, by namespace/name.
	claims map[string]int
	// priorities counts the Pods of bound by their priority.
	priorities map[int32]int
	images     images
	affinity   affinityLists
	// expected is a Pod that is about to be bound; see Expect.
	expected *framework.PodInfo
	// groups are the bound Pods by what they have in common; nil until somebody asks for it.
	groups *grouping
	// layout is where the Nodes are; nil after one came, went or got other labels.
	layout *layout
	// focus is what the lists show, nil for all.
	focus *focus
}

var _ fwk.MutableSnapshotSharedLister = (*Snapshot)(nil)

// New returns an empty Snapshot.
func New() *Snapshot {
	return &Snapshot{
		byName: map[string]*framework.NodeInfo{}, bound: map[types.NamespacedName]*framework.PodInfo{},
		claims: map[string]int{}, priorities: map[int32]int{}, images: images{},
	}
}

// Of returns a Snapshot of these Pods and Nodes, for tests. Pods of one name all count.
func Of(pods []*corev1.Pod, nodes []*corev1.Node) *Snapshot {
	s := New()
	for _, pod := range pods {
		if pod.Spec.NodeName != "" {
			info, _ := framework.NewPodInfo(pod)
			s.add(info)
		}
	}
	for _, node := range nodes {
		s.SetNode(node)
	}
	return s
}

// SetNode takes over a Node's newest state.
func (s *Snapshot) SetNode(node *corev1.Node) {
	info := s.info(node.Name)
	old := info.Node()
	info.SetNode(node)
	at, present := s.find(node.Name)
	if !present {
		s.nodes = slices.Insert(s.nodes, at, fwk.NodeInfo(info))
		s.affinity.stale = true
	}
	if !present || old == nil || !maps.Equal(old.Labels, node.Labels) {
		s.layout = nil
	}
	if old == nil || !equality.Semantic.DeepEqual(old.Status.Images, node.Status.Images) {
		s.images.forget(old)
		info.ImageStates = s.images.learn(node)
	}
}

// RemoveNode forgets a Node. Its Pods are still counted, should it come back.
func (s *Snapshot) RemoveNode(name string) {
	info, ok := s.byName[name]
	if !ok || info.Node() == nil {
		return
	}
	if at, present := s.find(name); present {
		s.nodes = slices.Delete(s.nodes, at, at+1)
	}
	s.images.forget(info.Node())
	info.ImageStates = map[string]*fwk.ImageStateSummary{}
	info.RemoveNode()
	s.affinity.stale, s.layout = true, nil
	s.tidy(name, info)
}

// tidy forgets what neither exists nor has Pods.
func (s *Snapshot) tidy(name string, info *framework.NodeInfo) {
	if info.Node() == nil && len(info.Pods) == 0 {
		delete(s.byName, name)
	}
}

func (s *Snapshot) find(name string) (int, bool) {
	return slices.BinarySearchFunc(s.nodes, name, func(n fwk.NodeInfo, name string) int { return cmp.Compare(n.Node().Name, name) })
}

func (s *Snapshot) info(name string) *framework.NodeInfo {
	info, ok := s.byName[name]
	if !ok {
		info = framework.NewNodeInfo()
		s.byName[name] = info
	}
	return info
}

// Counts reports whether a Pod takes something of a Node.
func Counts(pod *corev1.Pod) bool { return pod.Spec.NodeName != "" && !podutil.IsPodTerminal(pod) }

// SetPod takes over a Pod's newest state. A Pod that takes nothing of a Node is forgotten.
func (s *Snapshot) SetPod(pod *corev1.Pod) {
	name := nameOf(pod)
	have, had := s.bound[name]
	if had && Counts(pod) && alike(have.Pod, pod) {
		ends := have.Pod.DeletionTimestamp == nil && pod.DeletionTimestamp != nil
		have.Pod = pod
		if ends {
			s.groups.end(s, have)
		}
		return
	}
	s.DropPod(name)
	if !Counts(pod) {
		return
	}
	info := s.infoOf(pod)
	s.bound[name] = info
	s.add(info)
}

// Expect takes over what has been computed of a Pod that is about to be bound, so that it is
// not computed again.
func (s *Snapshot) Expect(info *framework.PodInfo) { s.expected = info }

func (s *Snapshot) infoOf(pod *corev1.Pod) *framework.PodInfo {
	info := s.expected
	if s.expected = nil; info != nil && info.Pod.UID == pod.UID && sameNeeds(&info.Pod.Spec, &pod.Spec) {
		info.Pod = pod
		return info
	}
	// A term that upstream cannot parse counts as none, as there.
	info, _ = framework.NewPodInfo(pod)
	return info
}

// sameNeeds reports whether two states of a Pod ask for the same.
func sameNeeds(a, b *corev1.PodSpec) bool {
	same := func(a, b corev1.Container) bool {
		return maps.EqualFunc(a.Resources.Requests, b.Resources.Requests, func(a, b resource.Quantity) bool { return a.Cmp(b) == 0 })
	}
	return (a.Affinity == b.Affinity || equality.Semantic.DeepEqual(a.Affinity, b.Affinity)) && a.Resources == nil && b.Resources == nil && a.Overhead == nil && b.Overhead == nil &&
		slices.EqualFunc(a.Containers, b.Containers, same) && slices.EqualFunc(a.InitContainers, b.InitContainers, same)
}

// alike reports whether what plugins keep about a bound Pod is the same for both: the rest
// they read from the Pod itself.
func alike(a, b *corev1.Pod) bool {
	return a.UID == b.UID && a.Spec.NodeName == b.Spec.NodeName && a.Generation == b.Generation && maps.Equal(a.Labels, b.Labels) &&
		equality.Semantic.DeepEqual(a.Status.Resources, b.Status.Resources) &&
		slices.EqualFunc(a.Status.ContainerStatuses, b.Status.ContainerStatuses, sameResources) &&
		slices.EqualFunc(a.Status.InitContainerStatuses, b.Status.InitContainerStatuses, sameResources)
}

func sameResources(a, b corev1.ContainerStatus) bool {
	return equality.Semantic.DeepEqual(a.AllocatedResources, b.AllocatedResources) && equality.Semantic.DeepEqual(a.Resources, b.Resources)
}

// DropPod forgets a Pod.
func (s *Snapshot) DropPod(name types.NamespacedName) {
	info, had := s.bound[name]
	if !had {
		return
	}
	delete(s.bound, name)
	pod := info.Pod
	node := s.info(pod.Spec.NodeName)
	before := sizes(node)
	// The one error is a Pod that is not there.
	_ = node.RemovePod(klog.Logger(logr.Discard()), pod)
	s.groups.regroup(s, info, false)
	s.affinity.stale = s.affinity.stale || before != sizes(node)
	s.count(info, -1)
	s.tidy(pod.Spec.NodeName, node)
}

func (s *Snapshot) add(info *framework.PodInfo) {
	node := s.info(info.Pod.Spec.NodeName)
	before := sizes(node)
	node.AddPodInfo(info)
	s.groups.regroup(s, info, true)
	s.affinity.stale = s.affinity.stale || before != sizes(node)
	s.count(info, 1)
}

// count counts what is asked of all Nodes together.
func (s *Snapshot) count(info *framework.PodInfo, sign int) {
	for key := range framework.PodPVCKeys(info.Pod) {
		if s.claims[key] += sign; s.claims[key] == 0 {
			delete(s.claims, key)
		}
	}
	priority := schedulinghelper.PodPriority(info.Pod)
	if s.priorities[priority] += sign; s.priorities[priority] == 0 {
		delete(s.priorities, priority)
	}
}

// Bound returns the Pod of that name, if it takes something of a Node.
func (s *Snapshot) Bound(name types.NamespacedName) (*corev1.Pod, bool) {
	info, ok := s.bound[name]
	if !ok {
		return nil, false
	}
	return info.Pod, true
}

// BelowPriority reports whether a bound Pod has a priority below this one.
func (s *Snapshot) BelowPriority(priority int32) bool {
	for p := range s.priorities {
		if p < priority {
			return true
		}
	}
	return false
}

// Nodes returns the present Nodes by name. It must not be changed.
func (s *Snapshot) Nodes() []fwk.NodeInfo { return s.nodes }

// NodeInfos implements fwk.SharedLister.
func (s *Snapshot) NodeInfos() fwk.NodeInfoLister { return s }

// StorageInfos implements fwk.SharedLister.
func (s *Snapshot) StorageInfos() fwk.StorageInfoLister { return s }

// List implements fwk.NodeInfoLister.
func (s *Snapshot) List() ([]fwk.NodeInfo, error) {
	if s.focus != nil {
		return s.focus.nodes, nil
	}
	return s.nodes, nil
}

// Get implements fwk.NodeInfoLister.
func (s *Snapshot) Get(name string) (fwk.NodeInfo, error) {
	if info, ok := s.byName[name]; ok && info.Node() != nil {
		return info, nil
	}
	return nil, fmt.Errorf("nodeinfo not found for node name %q", name)
}

// IsPVCUsedByPods implements fwk.StorageInfoLister.
func (s *Snapshot) IsPVCUsedByPods(key string) bool { return s.claims[key] > 0 }

// PodGroupStates implements fwk.SharedLister. Pod groups are scheduled only with the gate
// GenericWorkload, which the plugins here do not get to see.
func (s *Snapshot) PodGroupStates() fwk.PodGroupStateLister { return nil }

// PodGroups implements fwk.SharedLister; see PodGroupStates.
func (s *Snapshot) PodGroups() fwk.PodGroupLister { return nil }

// CompositePodGroupStates implements fwk.SharedLister; see PodGroupStates.
func (s *Snapshot) CompositePodGroupStates() fwk.CompositePodGroupStateLister { return nil }

// CompositePodGroups implements fwk.SharedLister; see PodGroupStates.
func (s *Snapshot) CompositePodGroups() fwk.CompositePodGroupLister { return nil }

var errImmutable = errors.New("the snapshot is not changed for pod groups")

// StartMutations implements fwk.MutableSnapshotSharedLister, for pod groups only.
func (s *Snapshot) StartMutations() error { return errImmutable }

// EndMutations implements fwk.MutableSnapshotSharedLister, for pod groups only.
func (s *Snapshot) EndMutations() error { return errImmutable }

// AddPod implements fwk.MutableSnapshotSharedLister, for pod groups only.
func (s *Snapshot) AddPod(fwk.PodInfo, string) error { return errImmutable }

// RemovePod implements fwk.MutableSnapshotSharedLister, for pod groups only.
func (s *Snapshot) RemovePod(klog.Logger, *corev1.Pod, string) error { return errImmutable }

func nameOf(pod *corev1.Pod) types.NamespacedName {
	return types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}
}
