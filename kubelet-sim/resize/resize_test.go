package resize

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesim-dev/kubesim/kubelet-sim/admission"
	"github.com/kubesim-dev/kubesim/kubelet-sim/event"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

var noon = time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC)

// memory are resources with a limit of that many megabytes.
func memory(mega int64) corev1.ResourceRequirements {
	return corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: *resource.NewQuantity(mega*1_000_000, resource.DecimalSI)}}
}

// container is a container that has a limit of memory.
func container(name string, mega int64, policy corev1.ResourceResizeRestartPolicy) corev1.Container {
	return corev1.Container{Name: name, Resources: memory(mega), ResizePolicy: []corev1.ContainerResizePolicy{{ResourceName: corev1.ResourceMemory, RestartPolicy: policy}}}
}

// resized is a Pod, and the State of one whose containers have had 50 MB each so far.
func resized(containers ...corev1.Container) (*corev1.Pod, *podstate.State) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web", Generation: 2}, Spec: corev1.PodSpec{Containers: containers}}
	before := pod.DeepCopy()
	for i := range before.Spec.Containers {
		before.Spec.Containers[i].Resources = memory(50)
	}
	s := podstate.New(pod, noon)
	for i := range s.Containers {
		s.Containers[i].Activity = podstate.Running
	}
	s.NoteResize(before, pod)
	return pod, &s
}

// programs use so many megabytes; 0 is one that does not run. They note their new limits.
type programs struct {
	use    []int64
	limits map[string]int64
}

func (p *programs) Memory(i int) (int64, bool) { return p.use[i] * 1_000_000, p.use[i] > 0 }

func (p *programs) SetLimits(_ int, spec *corev1.Container, _ time.Time) {
	p.limits[spec.Name] = spec.Resources.Limits.Memory().Value() / 1_000_000
}

// told collects the reasons of Events.
func told(into *[]string) func(event.Event) {
	return func(e event.Event) { *into = append(*into, e.Reason) }
}

// TestAllocate: a Pod waits until its node has room, and says so once for each generation.
func TestAllocate(t *testing.T) {
	pod, s := resized(container("a", 80, corev1.NotRequired))
	full := &admission.Rejection{Reason: "OutOfmemory", Message: "Node didn't have enough resource: memory"}
	var events []string
	for range 2 {
		if Allocate(s, pod, full, noon, told(&events)) {
			t.Fatal("it is given what the node has not")
		}
	}
	if z := s.Resize; z.Pending == nil || z.Pending.Reason != corev1.PodReasonDeferred || z.Pending.Message != full.Message || z.InProgress != nil || !z.RetryAt.Equal(noon.Add(3*time.Minute)) {
		t.Errorf("while it waits: %+v", z)
	}
	pod.Generation++
	Allocate(s, pod, full, noon, told(&events))
	if diff := cmp.Diff([]string{"ResizeDeferred", "ResizeDeferred"}, events); diff != "" {
		t.Errorf("Events (-want +got):\n%s", diff)
	}
	s.Containers[0].BackOff.Delay = time.Minute
	if !Allocate(s, pod, nil, noon.Add(time.Hour), told(&events)) {
		t.Fatal("it is not given what the node has")
	}
	c, z := s.Containers[0], s.Resize
	if c.Allocated != nil || c.Actual == nil || c.BackOff.Delay != 0 {
		t.Errorf("the container: %+v", c)
	}
	if z.Pending != nil || z.InProgress == nil || z.InProgress.ObservedGeneration != 3 || z.Told || !z.LookAt.Equal(noon.Add(time.Hour)) {
		t.Errorf("when it has it: %+v", z)
	}
}

// TestActuate: what each container gets, and what the Pod says of it.
func TestActuate(t *testing.T) {
	for name, tc := range map[string]struct {
		containers []corev1.Container
		use        []int64
		limits     map[string]int64 // what programs are given
		restarts   bool             // the first one
		message    string           // why it fails
	}{
		"a higher limit":                {[]corev1.Container{container("a", 80, corev1.NotRequired)}, []int64{40}, map[string]int64{"a": 80}, false, ""},
		"a lower limit":                 {[]corev1.Container{container("a", 45, corev1.NotRequired)}, []int64{40}, map[string]int64{"a": 45}, false, ""},
		"a limit below what is used":    {[]corev1.Container{container("a", 30, corev1.NotRequired), container("b", 50, corev1.NotRequired)}, []int64{40, 1}, nil, false, `cannot decrease memory limits: attempting to set container "a" memory limit (30000000) below current usage (40000000)`},
		"and of the Pod":                {[]corev1.Container{container("a", 30, corev1.NotRequired)}, []int64{40}, nil, false, `cannot decrease memory limits: [attempting to set pod memory limit (30000000) below current usage (40000000), attempting to set container "a" memory limit (30000000) below current usage (40000000)]`},
		"a program that does not run":   {[]corev1.Container{container("a", 30, corev1.NotRequired)}, []int64{0}, nil, false, ""},
		"a container that must restart": {[]corev1.Container{container("a", 30, corev1.RestartContainer)}, []int64{40}, nil, true, ""},
		"only what changes":             {[]corev1.Container{container("a", 50, corev1.NotRequired), container("b", 60, corev1.NotRequired)}, []int64{40, 40}, map[string]int64{"b": 60}, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			pod, s := resized(tc.containers...)
			var events []string
			if !Allocate(s, pod, nil, noon, told(&events)) {
				t.Fatal("there is no room")
			}
			in := &programs{use: tc.use, limits: map[string]int64{}}
			Actuate(s, pod, in, noon, told(&events))
			if diff := cmp.Diff(tc.limits, in.limits); diff != "" && len(tc.limits)+len(in.limits) > 0 {
				t.Errorf("new limits (-want +got):\n%s", diff)
			}
			if got := s.Containers[0].Unhealthy == podstate.ResizeRestart; got != tc.restarts {
				t.Errorf("it restarts: %t, want %t", got, tc.restarts)
			}
			if tc.message != "" {
				Actuate(s, pod, in, noon.Add(10*time.Second), told(&events))
				if z := s.Resize; z.InProgress.Message != tc.message || z.InProgress.Reason != corev1.PodReasonError || z.Told {
					t.Errorf("condition %+v, want %s", z.InProgress, tc.message)
				}
				if diff := cmp.Diff([]string{"ResizeError"}, events); diff != "" {
					t.Errorf("Events: one, while the error is the same (-want +got):\n%s", diff)
				}
				return
			}
			Actuate(s, pod, in, noon.Add(time.Second), told(&events))
			if tc.restarts {
				if s.Resize == nil || s.Resize.InProgress == nil || len(events) > 0 {
					t.Fatalf("before it has restarted: %+v, %q", s.Resize, events)
				}
				s.Containers[0].Unhealthy = ""
				Actuate(s, pod, in, noon.Add(2*time.Second), told(&events))
			}
			if diff := cmp.Diff([]string{"ResizeCompleted"}, events); diff != "" || s.Resize != nil {
				t.Errorf("in the end: %+v, Events (-want +got):\n%s", s.Resize, diff)
			}
		})
	}
}

// TestOrder: priority, then the longest wait, then the name.
func TestOrder(t *testing.T) {
	waiting := func(name string, priority int32, since time.Duration) Waiting {
		pod, s := resized(container("a", 80, corev1.NotRequired))
		pod.Name, pod.Spec.Priority = name, &priority
		s.Resize.Pending = podstate.ResizeCondition(corev1.PodResizePending, nil, "", "", 1, noon.Add(since))
		return Waiting{pod, s}
	}
	order := []Waiting{waiting("d", 5, time.Hour), waiting("c", 0, 0), waiting("a", 0, time.Minute), waiting("b", 0, time.Minute)}
	for i := range order {
		for j := range order {
			if got := Order(order[i], order[j]); (got < 0) != (i < j) || (got == 0) != (i == j) {
				t.Errorf("%s before %s: %d", order[i].Pod.Name, order[j].Pod.Name, got)
			}
		}
	}
}
