package e2e

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// crowdNodes is how many Nodes crowdOut needs.
const crowdNodes = "3"

// crowdOut fills the Nodes with Pods that spread over them, and lets more urgent ones, which
// bear no other of their kind on their Node, take the place of some.
func crowdOut(t *testing.T, s *server, client kubernetes.Interface) {
	t.Helper()
	class := &schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: "urgent"}, Value: 1000}
	if _, err := client.SchedulingV1().PriorityClasses().Create(t.Context(), class, createOptions); err != nil {
		t.Fatal(err)
	}
	filler, urgent := crowd("filler", 15, "2"), crowd("urgent", 3, "3")
	same := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "filler"}}
	filler.Spec.Template.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{
		MaxSkew: 1, TopologyKey: corev1.LabelHostname, WhenUnsatisfiable: corev1.DoNotSchedule, LabelSelector: same,
	}}
	urgent.Spec.Template.Spec.PriorityClassName = "urgent"
	urgent.Spec.Template.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{TopologyKey: corev1.LabelHostname, LabelSelector: urgent.Spec.Selector}},
	}}
	s.clock(t, "mode", "manual")
	for _, d := range []*appsv1.Deployment{filler, urgent} {
		if _, err := client.AppsV1().Deployments("default").Create(t.Context(), d, createOptions); err != nil {
			t.Fatal(err)
		}
	}
	s.clock(t, "advance", "1m")
	s.clock(t, "mode", "auto")
	got, err := client.AppsV1().Deployments("default").Get(t.Context(), "urgent", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got.Status.AvailableReplicas != 3 {
		t.Errorf("%d of 3 urgent Pods are available", got.Status.AvailableReplicas)
	}
	events, err := client.CoreV1().Events("default").List(t.Context(), metav1.ListOptions{FieldSelector: "reason=Preempted"})
	if err != nil {
		t.Fatal(err)
	}
	if len(events.Items) < 3 {
		t.Errorf("%d Pods were preempted, want one a Node at least", len(events.Items))
	}
}

// crowd returns a Deployment whose Pods ask for so many CPUs each.
func crowd(name string, replicas int32, cpu string) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: appsv1.DeploymentSpec{
		Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{
				Name: "c", Image: "nginx:1.25", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}},
			}}},
		},
	}}
}
