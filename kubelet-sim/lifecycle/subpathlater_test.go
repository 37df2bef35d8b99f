package lifecycle

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

func TestASubPathOfAnAnnotationThatComesLater(t *testing.T) {
	c := newCluster(t, engine.Auto)
	c.create(engine.Pods, newPod("p", runs("write /sub/x hello", "cat /all/a/b/x"), func(p *corev1.Pod) {
		p.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
		container := &p.Spec.Containers[0]
		container.Env = []corev1.EnvVar{{Name: "DIR", ValueFrom: &corev1.EnvVarSource{
			FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.annotations['dir']"}}}}
		container.VolumeMounts = []corev1.VolumeMount{
			{Name: "v", MountPath: "/sub", SubPathExpr: "a/$(DIR)"}, {Name: "v", MountPath: "/all"},
		}
	}))
	want := &corev1.ContainerStateWaiting{Reason: "CreateContainerConfigError", Message: "missing value for DIR"}
	if diff := cmp.Diff(want, c.api.pod(t, "p").Status.ContainerStatuses[0].State.Waiting); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
	pod := c.api.pod(t, "p").DeepCopy()
	pod.Annotations = map[string]string{"dir": "b"}
	c.change(engine.Pods, pod)
	if got := c.read("p", nil); got != "hello\n" && got != "hello" {
		t.Errorf("log: %q", got)
	}
}
