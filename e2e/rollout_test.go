package e2e

import (
	"encoding/json"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
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
