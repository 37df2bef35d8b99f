package lifecycle

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

func TestSubPath(t *testing.T) {
	for name, tc := range map[string]struct {
		mount     corev1.VolumeMount
		want, err string
	}{
		"none is the whole volume":     {corev1.VolumeMount{}, "", ""},
		"as it is written":             {corev1.VolumeMount{SubPath: "a/$(POD)"}, "a/$(POD)", ""},
		"expanded":                     {corev1.VolumeMount{SubPathExpr: "a/$(POD)"}, "a/p", ""},
		"a variable that is empty":     {corev1.VolumeMount{SubPathExpr: "$(POD)/$(NONE)/$(EMPTY)"}, "", "missing value for EMPTY, NONE"},
		"out of the volume":            {corev1.VolumeMount{SubPathExpr: "$(UP)/x"}, "", "unable to provision SubPath `../x`: must not contain '..'"},
		"from the root":                {corev1.VolumeMount{SubPathExpr: "$(ROOT)"}, "", "error SubPath `/tmp` must not be an absolute path"},
		"two dots that are not a name": {corev1.VolumeMount{SubPath: "..x"}, "..x", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := subPath(&tc.mount, map[string]string{"POD": "p", "EMPTY": "", "UP": "..", "ROOT": "/tmp"})
			text := ""
			if err != nil {
				text = err.Error()
			}
			if diff := cmp.Diff([]string{tc.want, tc.err}, []string{got, text}); diff != "" {
				t.Errorf("subPath and error (-want +got):\n%s", diff)
			}
		})
	}
}

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
