package lifecycle

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

func TestDecideResize(t *testing.T) {
	pending := resizeCondition(corev1.PodResizePending, nil, corev1.PodReasonDeferred, "", 2, noon)
	begun := resizeCondition(corev1.PodResizeInProgress, nil, "", "", 2, noon)
	failed := resizeCondition(corev1.PodResizeInProgress, nil, corev1.PodReasonError, "", 2, noon)
	later := noon.Add(time.Minute)
	for name, tc := range map[string]struct {
		resize *resizing
		want   plan
	}{
		"nothing to resize":                          {nil, plan{}},
		"a new one is judged":                        {&resizing{Judge: true}, do(allocate, -1)},
		"one that waits is judged after a while":     {&resizing{Pending: pending, RetryAt: noon}, do(allocate, -1)},
		"until then it is no reason to move time":    {&resizing{Pending: pending, RetryAt: later}, at(later, engine.Recurring)},
		"what was allocated is carried out":          {&resizing{InProgress: begun, LookAt: noon}, do(actuate, -1)},
		"the runtime's answer is work":               {&resizing{InProgress: begun, LookAt: later, Told: true}, at(later, engine.Work)},
		"what cannot be done moves no time":          {&resizing{InProgress: failed, LookAt: later}, at(later, engine.Recurring)},
		"a newer one is judged before the last ends": {&resizing{Judge: true, InProgress: begun, LookAt: noon}, do(allocate, -1)},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, decideResize(&podState{Resize: tc.resize}, noon)); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

func cpu(request string) corev1.ResourceRequirements {
	return corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(request)}}
}

func TestNoteResize(t *testing.T) {
	pod := func(request string) *corev1.Pod {
		return &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Resources: cpu(request)}}}}
	}
	s := newPodState(pod("1"), noon)
	s.noteResize(pod("1"), pod("2"))
	if view := s.allocatedView(pod("2")); s.Resize == nil || !s.Resize.Judge || view.Spec.Containers[0].Resources.Requests.Cpu().String() != "1" {
		t.Fatalf("after a resize: %+v, and the Pod has %v, want one to judge, and what it had", s.Resize, view.Spec.Containers[0].Resources)
	}
	// While it waits, its user takes it back.
	s.Resize.Judge, s.Resize.Pending = false, resizeCondition(corev1.PodResizePending, nil, corev1.PodReasonDeferred, "", 2, noon)
	s.noteResize(s.allocatedView(pod("2")), pod("1"))
	if s.Resize != nil || s.unallocated() {
		t.Errorf("after the resize was taken back: %+v", s.Resize)
	}
}

func TestNeedsRestart(t *testing.T) {
	restart := func(r corev1.ResourceName) *corev1.Container {
		return &corev1.Container{Resources: cpu("2"), ResizePolicy: []corev1.ContainerResizePolicy{{ResourceName: r, RestartPolicy: corev1.RestartContainer}}}
	}
	before := cpu("1")
	for name, tc := range map[string]struct {
		spec *corev1.Container
		want bool
	}{
		"no policy":                     {&corev1.Container{Resources: cpu("2")}, false},
		"of what has changed":           {restart(corev1.ResourceCPU), true},
		"of what is the same as before": {restart(corev1.ResourceMemory), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := needsRestart(tc.spec, &before); got != tc.want {
				t.Errorf("needsRestart = %v, want %v", got, tc.want)
			}
		})
	}
}
