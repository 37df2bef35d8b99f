package lifecycle

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/cri"
	"github.com/kubesim-dev/kubesim/kubelet-sim/event"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

func writes(kib string) option {
	return shell("head -c " + kib + "k /dev/zero > /tmp/f; sleep 99999")
}

// hostMemory is that of the clusters below. Unit: bytes.
const hostMemory = 8 << 20

func TestWhoHoardsIsEvicted(t *testing.T) {
	c := restartWith(t, engine.Manual, nil, cri.Simulated(), hostMemory)
	c.create(engine.Nodes, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-1"}, Status: corev1.NodeStatus{
		Allocatable: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("110")},
	}})
	c.create(engine.Pods, newPod("honest", shell("echo text > /tmp/f; sleep 30; cat /tmp/f")))
	c.create(engine.Pods, newPod("large", writes("3500")))
	c.advance(5 * time.Second)
	c.create(engine.Pods, newPod("larger", writes("4000")))
	c.advance(10 * time.Second)
	pod := c.api.pod(t, "larger")
	want := "The node was low on resource: ephemeral-storage. Threshold quantity: 838860, available: "
	if s := pod.Status; s.Phase != corev1.PodFailed || s.Reason != event.Evicted || !strings.HasPrefix(s.Message, want) ||
		!strings.Contains(s.Message, " Container c was using ") || !strings.HasSuffix(s.Message, ", request is 0, has larger consumption of ephemeral-storage. ") {
		t.Errorf("the Pod that holds most: %s %s %q", s.Phase, s.Reason, s.Message)
	}
	if got := c.happened("node-1"); !slices.Contains(got, "EvictionThresholdMet Attempting to reclaim ephemeral-storage") {
		t.Errorf("Events of its Node: %q", got)
	}
	if got := c.api.pod(t, "large").Status.Phase; got != corev1.PodRunning {
		t.Errorf("the other large Pod is %s", got)
	}
	c.advance(time.Minute)
	if got := c.api.pod(t, "honest").Status.Phase; got != corev1.PodSucceeded || c.read("honest", nil) != "text\n" {
		t.Errorf("the honest Pod is %s, and printed %q", got, c.read("honest", nil))
	}
	if got := c.memory.Held(); got > c.memory.Threshold() {
		t.Errorf("%d bytes are held, want %d at most", got, c.memory.Threshold())
	}
}

func TestProcessesThatHoardAreEvictedForMemory(t *testing.T) {
	grow := "x=0123456789abcdef; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do x=$x$x; done; for i in 1 2 3 4 5 6; do eval \"y$i=\\$x.$i\"; done; sleep 99999"
	c := restartWith(t, engine.Manual, nil, cri.Simulated(), hostMemory)
	for _, name := range []string{"a", "b", "c"} {
		c.create(engine.Pods, newPod(name, shell(grow)))
	}
	c.advance(time.Minute)
	failed := 0
	for _, name := range []string{"a", "b", "c"} {
		if s := c.api.pod(t, name).Status; s.Phase == corev1.PodFailed {
			failed++
			killed := s.ContainerStatuses[0].State.Terminated.Reason == podstate.ReasonOOMKilled
			if !killed && !strings.HasPrefix(s.Message, "The node was low on resource: memory. ") {
				t.Errorf("Pod %s: %q", name, s.Message)
			}
		}
	}
	// Two may want the last of the memory at one instant, before either is gone.
	if failed == 0 || failed == 3 {
		t.Errorf("%d Pods of 3 had to go", failed)
	}
}

func TestLogsOfEndedPodsGoFirst(t *testing.T) {
	c := restartWith(t, engine.Manual, nil, cri.Simulated(), hostMemory)
	c.create(engine.Pods, newPod("loud", shell("head -c 3000000 /dev/zero | tr '\\0' x | fold -w 99")))
	c.create(engine.Pods, newPod("quiet", shell("echo text")))
	c.advance(time.Minute)
	if got := len(c.read("loud", nil)); got < 3_000_000 {
		t.Fatalf("the loud Pod's log has %d bytes", got)
	}
	c.create(engine.Pods, newPod("large", writes("5500")))
	c.advance(time.Minute)
	if got := c.api.pod(t, "large").Status.Phase; got != corev1.PodRunning {
		t.Errorf("the running Pod is %s", got)
	}
	if got := c.read("loud", nil); !strings.HasPrefix(got, "error: unable to retrieve container logs for ") {
		t.Errorf("the loud Pod's log: %.100q", got)
	}
	if got := c.read("quiet", nil); got != "text\n" {
		t.Errorf("the quiet Pod's log: %q", got)
	}
}

func TestADiskThatIsFull(t *testing.T) {
	c := restartWith(t, engine.Manual, nil, cri.Simulated(), hostMemory)
	c.create(engine.Pods, newPod("p", shell("cat /dev/zero > /tmp/f; echo $?")))
	c.advance(time.Minute)
	if got := c.read("p", nil); got != "cat: write error: No space left on device\n1\n" {
		t.Errorf("it printed %q", got)
	}
}

// TestARestartChargesTheSame starts the kubelets again beside Pods that hold memory, files,
// volumes and logs.
func TestARestartChargesTheSame(t *testing.T) {
	c := restartWith(t, engine.Manual, nil, cri.Simulated(), hostMemory)
	c.create(engine.Pods, newPod("files", withVolume("data"), shell("head -c 1000k /dev/zero > /tmp/f; head -c 1000k /dev/zero > /data/f; sleep 99999")))
	c.create(engine.Pods, newPod("logs", shell("seq 200000; sleep 99999")))
	c.create(engine.Pods, newPod("processes", shell("yes | sleep 99999 & x=$(seq 10000); sleep 99999")))
	c.advance(time.Minute)
	before := c.memory.Held()
	if before < 3_000_000 {
		t.Fatalf("only %d bytes are held", before)
	}
	again := restartWith(t, engine.Manual, c, cri.Simulated(), hostMemory)
	again.advance(time.Second)
	if after := again.memory.Held(); after != before {
		t.Errorf("%d bytes are held after the restart, %d before", after, before)
	}
	for _, name := range []string{"files", "logs", "processes"} {
		again.delete(name)
	}
	again.advance(time.Minute)
	if got := again.memory.Held(); got > 100<<10 { // the node's own files stay
		t.Errorf("%d bytes are held after the Pods are gone", got)
	}
}

func TestLimitsOfEphemeralStorage(t *testing.T) {
	limit := func(text string) option {
		return func(p *corev1.Pod) {
			p.Spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceEphemeralStorage: resource.MustParse(text)}
		}
	}
	beside := func(p *corev1.Pod) {
		other := p.Spec.Containers[0].DeepCopy()
		other.Name, other.Command = "other", []string{"sleep", "99999"}
		p.Spec.Containers = append(p.Spec.Containers, *other)
	}
	for name, tc := range map[string]struct {
		pod  *corev1.Pod
		want string // the message, empty if it runs on
	}{
		"less than the limit":        {newPod("p", limit("1Mi"), writes("500")), ""},
		"files above it":             {newPod("p", limit("1Mi"), writes("1500")), "Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. "},
		"a log above it":             {newPod("p", limit("1Mi"), shell("seq 100000; sleep 99999")), "Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. "},
		"an emptyDir above it":       {newPod("p", limit("1Mi"), withVolume("data"), shell("head -c 1500k /dev/zero > /data/f; sleep 99999")), "Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. "},
		"one container above its":    {newPod("p", limit("1Mi"), writes("1500"), beside), "Container c exceeded its local ephemeral storage limit \"1Mi\". "},
		"without a limit, any files": {newPod("p", writes("1500")), ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := restart(t, engine.Manual, nil, cri.Simulated())
			c.create(engine.Pods, tc.pod)
			c.advance(9 * time.Second)
			if got := c.api.pod(t, "p").Status.Phase; got != corev1.PodRunning {
				t.Errorf("the Pod is %s before the kubelet has looked", got)
			}
			c.advance(time.Minute)
			s := c.api.pod(t, "p").Status
			if want := map[bool]corev1.PodPhase{true: corev1.PodRunning, false: corev1.PodFailed}[tc.want == ""]; s.Phase != want || s.Message != tc.want {
				t.Errorf("it is %s, %q, want %s, %q", s.Phase, s.Message, want, tc.want)
			}
		})
	}
}
