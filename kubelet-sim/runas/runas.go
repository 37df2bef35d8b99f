// Package runas says which user a container runs as: what its security context and its Pod's say,
// and what its image says of the rest.
//
// Invariant: it has no effect, and asks nothing but the image's users.
package runas

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// ImageUsers are the users of images.
type ImageUsers interface {
	// User returns the user of a container of an image that asks for uid and
	// gid, or -1 where it asks for nothing, and the user's groups in the image.
	User(image string, uid, gid int64) (int64, int64, []int64)
}

// User is the user that a container runs as. An ID of -1 is the image's.
type User struct {
	UID, GID int64
	Groups   []int64
	// ReadOnlyRoot: it must not write to its image's files.
	ReadOnlyRoot bool
	nonRoot      bool
}

// Of joins what the container says with what its Pod says, and with the groups that the image has the user in, unless the Pod
// wants those alone that it names.
func Of(in ImageUsers, pod *corev1.Pod, c *corev1.Container) User {
	s := securityOf(pod, c)
	if p := pod.Spec.SecurityContext; p != nil && p.SupplementalGroupsPolicy != nil && *p.SupplementalGroupsPolicy == corev1.SupplementalGroupsPolicyStrict {
		return s
	}
	_, gid, groups := in.User(c.Image, s.UID, s.GID)
	groups = slices.DeleteFunc(groups, func(g int64) bool { return g == gid })
	s.Groups = append(groups, s.Groups...)
	return s
}

// Status is the user in a container's status.
func Status(in ImageUsers, pod *corev1.Pod, c *corev1.Container) *corev1.ContainerUser {
	s := Of(in, pod, c)
	linux := corev1.LinuxContainerUser{}
	linux.UID, linux.GID, _ = in.User(c.Image, s.UID, s.GID)
	linux.SupplementalGroups = append([]int64{linux.GID}, s.Groups...)
	return &corev1.ContainerUser{Linux: &linux}
}

// VerifyNonRoot refuses a root user to a container that must not have one.
// Source: verifyRunAsNonRoot in k8s.io/kubernetes pkg/kubelet/kuberuntime
// v1.37.2.
func (s User) VerifyNonRoot(in ImageUsers, pod *corev1.Pod, c *corev1.Container) error {
	if !s.nonRoot {
		return nil
	}
	if s.UID == 0 {
		return fmt.Errorf("container's runAsUser breaks non-root policy (pod: %q, container: %s)", podstate.PodTitle(pod), c.Name)
	}
	if uid, _, _ := in.User(c.Image, s.UID, s.GID); uid == 0 {
		return fmt.Errorf("container has runAsNonRoot and image will run as root (pod: %q, container: %s)", podstate.PodTitle(pod), c.Name)
	}
	return nil
}

// securityOf joins the container's security context with the Pod's.
func securityOf(pod *corev1.Pod, c *corev1.Container) User {
	s := User{UID: -1, GID: -1}
	if p := pod.Spec.SecurityContext; p != nil {
		s.set(p.RunAsUser, p.RunAsGroup, p.RunAsNonRoot)
		s.Groups = append(s.Groups, p.SupplementalGroups...)
		if p.FSGroup != nil {
			s.Groups = append(s.Groups, *p.FSGroup)
		}
	}
	if c := c.SecurityContext; c != nil {
		s.set(c.RunAsUser, c.RunAsGroup, c.RunAsNonRoot)
		s.ReadOnlyRoot = ptr.Deref(c.ReadOnlyRootFilesystem, false)
	}
	return s
}

func (s *User) set(uid, gid *int64, nonRoot *bool) {
	if uid != nil {
		s.UID = *uid
	}
	if gid != nil {
		s.GID = *gid
	}
	if nonRoot != nil {
		s.nonRoot = *nonRoot
	}
}
