package job

import (
	"math/rand"
	"slices"
	"sort"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/pkg/controller"
)

// TestPodsAreRemovedInUpstreamsOrder sorts random Pods by our order and by
// upstream's ActivePods.
func TestPodsAreRemovedInUpstreamsOrder(t *testing.T) {
	for seed := range int64(200) {
		r := rand.New(rand.NewSource(seed))
		var ours controller.ActivePods
		for i := range 2 + r.Intn(8) {
			ours = append(ours, randomActivePod(r, strconv.Itoa(i)))
		}
		theirs := slices.Clone(ours)
		slices.SortStableFunc(ours, compareRemoval)
		sort.Stable(theirs)
		if diff := cmp.Diff(names(theirs), names(ours)); diff != "" {
			t.Fatalf("seed %d (-upstream +ours):\n%s", seed, diff)
		}
	}
}

// randomActivePod differs from others in what the order looks at, seldom in much.
func randomActivePod(r *rand.Rand, name string) *corev1.Pod {
	pod := aPod(name)
	pod.Spec.NodeName = []string{"", "n", "n", "n"}[r.Intn(4)]
	pod.Status.Phase = []corev1.PodPhase{corev1.PodPending, corev1.PodUnknown, corev1.PodRunning, corev1.PodRunning}[r.Intn(4)]
	pod.CreationTimestamp = *ago(r.Intn(3))
	if r.Intn(8) == 0 {
		pod.CreationTimestamp = metav1.Time{}
	}
	if r.Intn(2) == 0 {
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: *ago(r.Intn(2))}}
	}
	always := corev1.ContainerRestartPolicyAlways
	pod.Spec.InitContainers = []corev1.Container{{Name: "sidecar", RestartPolicy: &always}, {Name: "init"}}
	pod.Status.InitContainerStatuses = []corev1.ContainerStatus{
		{Name: "sidecar", RestartCount: int32(r.Intn(2))}, {Name: "init", RestartCount: int32(r.Intn(2))},
	}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "c", RestartCount: int32(r.Intn(2))}}
	return pod
}
