package shape

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
)

func TestAsDecodedIsWhatProtobufGives(t *testing.T) {
	at := time.Date(2025, 1, 1, 0, 0, 1, 123456789, time.UTC)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: "a", Labels: map[string]string{}, Annotations: map[string]string{"b": ""}, Finalizers: []string{},
			CreationTimestamp: metav1.NewTime(at), DeletionTimestamp: &metav1.Time{},
			ManagedFields: []metav1.ManagedFieldsEntry{{Time: &metav1.Time{Time: at}, FieldsV1: metav1.NewFieldsV1("{}")}},
		},
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{{
				Command:   []string{},
				Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m")}},
			}},
			SecurityContext: &corev1.PodSecurityContext{},
		},
		Status: corev1.PodStatus{
			StartTime:         &metav1.Time{Time: at},
			ContainerStatuses: []corev1.ContainerStatus{{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(at)}}}},
		},
	}
	decoded := &corev1.Pod{}
	data, err := pod.Marshal()
	if err == nil {
		err = decoded.Unmarshal(data)
	}
	if err != nil {
		t.Fatal(err)
	}
	Of(reflect.TypeOf(pod)).AsDecoded(pod)
	if diff := cmp.Diff(decoded, pod); diff != "" {
		t.Errorf("(-decoded +as decoded):\n%s", diff)
	}

	event := &corev1.Event{EventTime: metav1.NewMicroTime(at)}
	Of(reflect.TypeOf(event)).AsDecoded(event)
	if want := 123456 * time.Microsecond; event.EventTime.Nanosecond() != int(want) {
		t.Errorf("a MicroTime has %d ns, want %d", event.EventTime.Nanosecond(), want)
	}
}

func TestShapesKnowTheirLimits(t *testing.T) {
	for name, obj := range map[string]runtime.Object{
		"times that are values of a map": &policyv1.PodDisruptionBudget{},
		"any object":                     &metav1.WatchEvent{},
	} {
		t.Run(name, func(t *testing.T) {
			if Of(reflect.TypeOf(obj)) != nil {
				t.Errorf("a %T has a shape, want none", obj)
			}
		})
	}
}

func TestShapesCompare(t *testing.T) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: "a", Labels: map[string]string{"k": "v"}, CreationTimestamp: metav1.Unix(1, 0),
			OwnerReferences: []metav1.OwnerReference{{Name: "o", Controller: ptr.To(true)}},
		},
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{{
				Name: "c", Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{"cpu": resource.MustParse("1000m")}},
			}},
		},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, StartTime: &metav1.Time{Time: time.Unix(2, 0)}},
	}
	for name, tc := range map[string]struct {
		change func(*corev1.Pod)
		want   bool
	}{
		"a copy":                       {func(*corev1.Pod) {}, true},
		"a quantity in other words":    {func(p *corev1.Pod) { p.Spec.Containers[0].Resources.Limits["cpu"] = resource.MustParse("1") }, true},
		"a time in another place":      {func(p *corev1.Pod) { p.Status.StartTime.Time = p.Status.StartTime.UTC() }, true},
		"a phase":                      {func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }, false},
		"a time":                       {func(p *corev1.Pod) { p.Status.StartTime = &metav1.Time{Time: time.Unix(3, 0)} }, false},
		"no time":                      {func(p *corev1.Pod) { p.Status.StartTime = nil }, false},
		"a label's value":              {func(p *corev1.Pod) { p.Labels["k"] = "w" }, false},
		"a label":                      {func(p *corev1.Pod) { p.Labels = map[string]string{"l": "v"} }, false},
		"a quantity":                   {func(p *corev1.Pod) { p.Spec.Containers[0].Resources.Limits["cpu"] = resource.MustParse("2") }, false},
		"another quantity":             {func(p *corev1.Pod) { p.Spec.Containers[0].Resources.Limits["memory"] = resource.MustParse("2") }, false},
		"what is behind a pointer":     {func(p *corev1.Pod) { *p.OwnerReferences[0].Controller = false }, false},
		"one container more":           {func(p *corev1.Pod) { p.Spec.Containers = append(p.Spec.Containers, corev1.Container{}) }, false},
		"a number":                     {func(p *corev1.Pod) { p.Generation++ }, false},
		"a container's name in a list": {func(p *corev1.Pod) { p.Spec.Containers[0].Name = "d" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			other := pod.DeepCopy()
			tc.change(other)
			if got := Of(reflect.TypeOf(pod)).Same(pod, other); got != tc.want {
				t.Errorf("equal: %v, want %v", got, tc.want)
			}
		})
	}
}
