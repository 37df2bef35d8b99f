package e2e

import (
	"encoding/json"
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
)

// rollOver changes the image of a Deployment in the middle of a rollout, and its size in
// the middle of the next one.
func rollOver(t *testing.T, s *server, client kubernetes.Interface) {
	t.Helper()
	labels := map[string]string{"app": "over"}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "over"}, Spec: appsv1.DeploymentSpec{
		Replicas: new(int32(6)), Selector: &metav1.LabelSelector{MatchLabels: labels}, MinReadySeconds: 2,
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "nginx:1.25"}}},
		},
	}}
	deployments := client.AppsV1().Deployments("default")
	if _, err := deployments.Create(t.Context(), d, createOptions); err != nil {
		t.Fatal(err)
	}
	s.clock(t, "mode", "manual")
	for _, image := range []string{"nginx:1.26", "nginx:1.27"} {
		patchDeployment(t, client, map[string]any{"template": map[string]any{"spec": map[string]any{"containers": []any{map[string]any{"name": "c", "image": image}}}}})
		s.clock(t, "advance", "4s")
	}
	patchDeployment(t, client, map[string]any{"replicas": 9})
	s.clock(t, "mode", "auto")
	patchDeployment(t, client, map[string]any{"revisionHistoryLimit": 1})
	d, err := deployments.Get(t.Context(), "over", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if st := d.Status; st.UpdatedReplicas != 9 || st.AvailableReplicas != 9 || st.Replicas != 9 {
		t.Errorf("the rollout has not ended: %+v", st)
	}
}

func patchDeployment(t *testing.T, client kubernetes.Interface, spec map[string]any) {
	t.Helper()
	patch, err := json.Marshal(map[string]any{"spec": spec})
	if err == nil {
		_, err = client.AppsV1().Deployments("default").Patch(t.Context(), "over", types.StrategicMergePatchType, patch, metav1.PatchOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// rollEverywhere changes the image of a DaemonSet in the middle of a rollout with surge,
// while Nodes are tainted and Pods fail.
func rollEverywhere(t *testing.T, s *server, client kubernetes.Interface) {
	t.Helper()
	labels := map[string]string{"app": "everywhere"}
	ds := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: "everywhere"}, Spec: appsv1.DaemonSetSpec{
		Selector: &metav1.LabelSelector{MatchLabels: labels}, MinReadySeconds: 2, RevisionHistoryLimit: new(int32(1)),
		UpdateStrategy: appsv1.DaemonSetUpdateStrategy{Type: appsv1.RollingUpdateDaemonSetStrategyType, RollingUpdate: &appsv1.RollingUpdateDaemonSet{
			MaxUnavailable: new(intstr.FromInt32(0)), MaxSurge: new(intstr.FromInt32(2)),
		}},
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "nginx:1.25"}}},
		},
	}}
	sets := client.AppsV1().DaemonSets("default")
	if _, err := sets.Create(t.Context(), ds, createOptions); err != nil {
		t.Fatal(err)
	}
	s.clock(t, "mode", "manual")
	taints := func(patch string) {
		if _, err := client.CoreV1().Nodes().Patch(t.Context(), "node-1", types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, image := range []string{"nginx:1.26", "nginx:1.27"} {
		patch := fmt.Sprintf(`{"spec": {"template": {"spec": {"containers": [{"name": "c", "image": %q}]}}}}`, image)
		if _, err := sets.Patch(t.Context(), "everywhere", types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
		s.clock(t, "advance", "4s")
		taints(`{"spec": {"taints": [{"key": "k", "effect": "NoExecute"}]}}`)
		failPodsOf(t, client, "app=everywhere", "node-2")
		s.clock(t, "advance", "1s")
		taints(`{"spec": {"taints": null}}`)
	}
	s.clock(t, "mode", "auto")
	failPodsOf(t, client, "app=everywhere", "node-2")
	ds, err := sets.Get(t.Context(), "everywhere", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if st := ds.Status; st.DesiredNumberScheduled == 0 || st.UpdatedNumberScheduled != st.DesiredNumberScheduled || st.NumberAvailable != st.DesiredNumberScheduled {
		t.Errorf("the rollout has not ended: %+v", st)
	}
}

// failPodsOf says of the Pods on a Node that they have failed, as a kubelet does that
// refuses them.
func failPodsOf(t *testing.T, client kubernetes.Interface, selector, node string) {
	t.Helper()
	pods, err := client.CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{LabelSelector: selector, FieldSelector: "spec.nodeName=" + node})
	if err != nil || len(pods.Items) == 0 {
		t.Fatalf("%d Pods of %s on %s: %v", len(pods.Items), selector, node, err)
	}
	for _, pod := range pods.Items {
		if _, err := client.CoreV1().Pods("default").Patch(t.Context(), pod.Name, types.MergePatchType, []byte(`{"status": {"phase": "Failed"}}`), metav1.PatchOptions{}, "status"); err != nil {
			t.Fatal(err)
		}
	}
}
