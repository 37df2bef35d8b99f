package snapshot

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	fwk "k8s.io/kube-scheduler/framework"
)

func node(name string, images ...corev1.ContainerImage) *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NodeStatus{
		Allocatable: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("4")}, Images: images,
	}}
}

func sized(name string, size int64) corev1.ContainerImage {
	return corev1.ContainerImage{Names: []string{name}, SizeBytes: size}
}

// pod returns a Pod that asks for a CPU, a port and a claim, and keeps away from others.
func pod(name, on string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID(name), Labels: map[string]string{"app": name}},
		Spec: corev1.PodSpec{
			NodeName: on,
			Containers: []corev1.Container{{
				Name: "c", Ports: []corev1.ContainerPort{{HostPort: 80}},
				Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}},
			}},
			Volumes: []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "claim"},
			}}},
			Affinity: &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
				TopologyKey: corev1.LabelHostname, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}},
			}}}},
		},
	}
}

// taken is what can be seen of a Snapshot's Nodes.
type taken struct {
	CPU         map[string]int64
	Ports, Anti int
	Claimed     bool
}

func take(s *Snapshot) taken {
	out := taken{CPU: map[string]int64{}, Claimed: s.IsPVCUsedByPods("ns/claim")}
	for _, n := range s.Nodes() {
		out.CPU[n.Node().Name] = n.GetRequested().GetMilliCPU()
		out.Ports += len(n.GetUsedPorts())
	}
	anti, _ := s.HavePodsWithRequiredAntiAffinityList()
	out.Anti = len(anti)
	return out
}

func TestAPodGivesBackWhatItTook(t *testing.T) {
	s := New()
	s.SetNode(node("b"))
	s.SetNode(node("a"))
	p := pod("p", "a")
	s.SetPod(p)
	if diff := cmp.Diff(taken{CPU: map[string]int64{"a": 1000, "b": 0}, Ports: 1, Anti: 1, Claimed: true}, take(s)); diff != "" {
		t.Errorf("with the Pod (-want +got):\n%s", diff)
	}
	finished := p.DeepCopy()
	finished.Status.Phase = corev1.PodSucceeded
	s.SetPod(finished)
	none := taken{CPU: map[string]int64{"a": 0, "b": 0}}
	if diff := cmp.Diff(none, take(s)); diff != "" {
		t.Errorf("when it has finished (-want +got):\n%s", diff)
	}
	s.DropPod(types.NamespacedName{Namespace: "ns", Name: "p"})
	if diff := cmp.Diff(none, take(s)); diff != "" {
		t.Errorf("when it is gone (-want +got):\n%s", diff)
	}
}

func TestAPodWaitsForItsNode(t *testing.T) {
	s := New()
	s.SetPod(pod("p", "a"))
	if _, err := s.Get("a"); err == nil || len(s.Nodes()) > 0 {
		t.Error("a Node is there because a Pod names it")
	}
	s.SetNode(node("a"))
	if got := take(s).CPU["a"]; got != 1000 {
		t.Errorf("the Node comes with %d of its CPU taken, want 1000", got)
	}
	s.RemoveNode("a")
	s.SetNode(node("a"))
	if got := take(s).CPU["a"]; got != 1000 {
		t.Errorf("the Node comes back with %d of its CPU taken, want 1000", got)
	}
}

func TestAResizedPodTakesMore(t *testing.T) {
	s := New()
	s.SetNode(node("a"))
	p := pod("p", "a")
	s.SetPod(p)
	larger := p.DeepCopy()
	larger.Generation++
	larger.Spec.Containers[0].Resources.Requests[corev1.ResourceCPU] = resource.MustParse("3")
	s.SetPod(larger)
	if got := take(s).CPU["a"]; got != 3000 {
		t.Errorf("%d of the CPU are taken, want 3000", got)
	}
}

func TestNodesShareAnImage(t *testing.T) {
	s := New()
	s.SetNode(node("a", sized("big:1", 5), sized("own:1", 1)))
	s.SetNode(node("b", sized("big:1", 7)))
	seen := func(name string) fwk.ImageStateSummary {
		n, err := s.Get(name)
		if err != nil {
			t.Fatal(err)
		}
		state, ok := n.GetImageStates()["big:1"]
		if !ok {
			return fwk.ImageStateSummary{}
		}
		return fwk.ImageStateSummary{Size: state.Size, NumNodes: state.NumNodes}
	}
	for _, step := range []struct {
		does func()
		a    fwk.ImageStateSummary
	}{
		{func() {}, fwk.ImageStateSummary{Size: 7, NumNodes: 2}},
		{func() { s.SetNode(node("b")) }, fwk.ImageStateSummary{Size: 5, NumNodes: 1}},
		{func() { s.SetNode(node("b", sized("big:1", 9))) }, fwk.ImageStateSummary{Size: 9, NumNodes: 2}},
		{func() { s.RemoveNode("b") }, fwk.ImageStateSummary{Size: 5, NumNodes: 1}},
		{func() { s.SetNode(node("a")) }, fwk.ImageStateSummary{}},
	} {
		step.does()
		if got := seen("a"); got.Size != step.a.Size || got.NumNodes != step.a.NumNodes {
			t.Errorf("Node a sees %+v, want %+v", got, step.a)
		}
	}
	if len(s.images) != 0 {
		t.Errorf("images that no Node has are kept: %v", s.images)
	}
}
