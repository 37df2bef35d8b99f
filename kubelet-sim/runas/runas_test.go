package runas

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

// image has a user 1000 of group 1000, who is also in group 50; it runs as root by itself.
type image struct{}

func (image) User(_ string, uid, gid int64) (int64, int64, []int64) {
	if uid < 0 {
		return 0, max(gid, 0), []int64{0}
	}
	if gid < 0 {
		gid = 1000
	}
	return uid, gid, []int64{gid, 50}
}

func TestRunsAs(t *testing.T) {
	root, robot, group := int64(0), int64(1000), int64(7)
	yes, strict := true, corev1.SupplementalGroupsPolicyStrict
	for name, tc := range map[string]struct {
		pod       corev1.PodSecurityContext
		container corev1.SecurityContext
		want      corev1.LinuxContainerUser
		refused   string
	}{
		"the image's user": {want: corev1.LinuxContainerUser{SupplementalGroups: []int64{0}}},
		"the Pod's, with the image's groups": {
			pod:  corev1.PodSecurityContext{RunAsUser: &robot, FSGroup: &group},
			want: corev1.LinuxContainerUser{UID: 1000, GID: 1000, SupplementalGroups: []int64{1000, 50, 7}},
		},
		"the container's comes before the Pod's": {
			pod: corev1.PodSecurityContext{RunAsUser: &robot}, container: corev1.SecurityContext{RunAsUser: &root, RunAsGroup: &group},
			want: corev1.LinuxContainerUser{GID: 7, SupplementalGroups: []int64{7, 50}},
		},
		"those groups alone that are named": {
			pod:  corev1.PodSecurityContext{RunAsUser: &robot, SupplementalGroups: []int64{9}, SupplementalGroupsPolicy: &strict},
			want: corev1.LinuxContainerUser{UID: 1000, GID: 1000, SupplementalGroups: []int64{1000, 9}},
		},
		"root where it must not be": {
			container: corev1.SecurityContext{RunAsNonRoot: &yes, RunAsUser: &root},
			want:      corev1.LinuxContainerUser{GID: 1000, SupplementalGroups: []int64{1000, 50}},
			refused:   `container's runAsUser breaks non-root policy (pod: "_()", container: c)`,
		},
		"an image that runs as root where it must not": {
			container: corev1.SecurityContext{RunAsNonRoot: &yes}, want: corev1.LinuxContainerUser{SupplementalGroups: []int64{0}},
			refused: `container has runAsNonRoot and image will run as root (pod: "_()", container: c)`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{Spec: corev1.PodSpec{SecurityContext: &tc.pod}}
			c := &corev1.Container{Name: "c", SecurityContext: &tc.container}
			if diff := cmp.Diff(&corev1.ContainerUser{Linux: &tc.want}, Status(image{}, pod, c)); diff != "" {
				t.Errorf("user (-want +got):\n%s", diff)
			}
			refused := ""
			if err := Of(image{}, pod, c).VerifyNonRoot(image{}, pod, c); err != nil {
				refused = err.Error()
			}
			if refused != tc.refused {
				t.Errorf("refused with %q, want %q", refused, tc.refused)
			}
		})
	}
}
