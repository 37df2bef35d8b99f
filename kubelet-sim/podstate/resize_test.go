package podstate

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

func cpu(request string) corev1.ResourceRequirements {
	return corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(request)}}
}

func TestNoteResize(t *testing.T) {
	pod := func(request string) *corev1.Pod {
		return &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Resources: cpu(request)}}}}
	}
	s := New(pod("1"), noon)
	s.NoteResize(pod("1"), pod("2"))
	if view := s.AllocatedView(pod("2")); s.Resize == nil || !s.Resize.Judge || view.Spec.Containers[0].Resources.Requests.Cpu().String() != "1" {
		t.Fatalf("after a resize: %+v, and the Pod has %v, want one to judge, and what it had", s.Resize, view.Spec.Containers[0].Resources)
	}
	// While it waits, its user takes it back.
	s.Resize.Judge, s.Resize.Pending = false, ResizeCondition(corev1.PodResizePending, nil, corev1.PodReasonDeferred, "", 2, noon)
	s.NoteResize(s.AllocatedView(pod("2")), pod("1"))
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
			if got := NeedsRestart(tc.spec, &before); got != tc.want {
				t.Errorf("needsRestart = %v, want %v", got, tc.want)
			}
		})
	}
}
