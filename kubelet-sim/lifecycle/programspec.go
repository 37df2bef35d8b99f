package lifecycle

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/utils/ptr"

	corev1 "k8s.io/api/core/v1"

	podutil "k8s.io/kubernetes/pkg/api/v1/pod"

	"github.com/kubesim-dev/kubesim/kubelet-sim/environment"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stats"
)

// programSpec says what container i runs of an image, or why it cannot be created. Source:
// generateContainerConfig in k8s.io/kubernetes pkg/kubelet/kuberuntime v1.37.2.
func (r *Reconciler) programSpec(run *podRun, i int, image string, d podstate.Draw, at time.Time) (program.Spec, error) {
	c := podstate.WithImage(run.Spec(run.pod, i), image)
	env, vars, err := environment.Make(r.view, run.pod, &run.State, c)
	if err != nil {
		return program.Spec{}, err
	}
	command, err := environment.ExpandAll(c.Command, vars)
	if err != nil {
		return program.Spec{}, err
	}
	args, err := environment.ExpandAll(c.Args, vars)
	if err != nil {
		return program.Spec{}, err
	}
	user := r.userOf(run.pod, c)
	if err := r.verifyNonRoot(run.pod, c, user); err != nil {
		return program.Spec{}, err
	}
	root, err := r.makeRoot(run, c, vars, at)
	if err != nil {
		return program.Spec{}, err
	}
	root.Charge(run.account.Of(stats.Storage))
	return program.Spec{
		Image: c.Image, Command: command, Args: args, Env: env,
		WorkingDir: c.WorkingDir, Hostname: environment.Hostname(run.pod),
		User: user.uid, Group: user.gid, Groups: user.groups, ReadOnlyRoot: user.readOnlyRoot,
		Root:                   root,
		RunsOn:                 (run.Containers[i].Role == podstate.Regular || run.Containers[i].Role == podstate.Sidecar) && podutil.ContainerShouldRestart(*c, run.pod.Spec, 0),
		UnknownRuntime:         r.cfg.UnknownRuntime,
		Seed:                   d.Seed(),
		StdinOpen:              c.Stdin,
		TTY:                    c.TTY,
		TerminationMessagePath: c.TerminationMessagePath,
		MemoryLimit:            c.Resources.Limits.Memory().Value(),
		Netns:                  run.netns,
		Account:                run.account.Of(stats.Memory),
		Network:                podNetwork{r, run},
		Woken:                  func(at time.Time) { r.woken(run, i, at) },
	}, nil
}

// security is whom a container runs as. An ID of -1 is the image's.
type security struct {
	uid, gid     int64
	groups       []int64
	nonRoot      bool
	readOnlyRoot bool
}

// securityOf joins the container's security context with the Pod's.
func securityOf(pod *corev1.Pod, c *corev1.Container) security {
	s := security{uid: -1, gid: -1}
	if p := pod.Spec.SecurityContext; p != nil {
		s.set(p.RunAsUser, p.RunAsGroup, p.RunAsNonRoot)
		s.groups = append(s.groups, p.SupplementalGroups...)
		if p.FSGroup != nil {
			s.groups = append(s.groups, *p.FSGroup)
		}
	}
	if c := c.SecurityContext; c != nil {
		s.set(c.RunAsUser, c.RunAsGroup, c.RunAsNonRoot)
		s.readOnlyRoot = ptr.Deref(c.ReadOnlyRootFilesystem, false)
	}
	return s
}

func (s *security) set(uid, gid *int64, nonRoot *bool) {
	if uid != nil {
		s.uid = *uid
	}
	if gid != nil {
		s.gid = *gid
	}
	if nonRoot != nil {
		s.nonRoot = *nonRoot
	}
}

// verifyNonRoot refuses a root user to a container that must not have one.
// Source: verifyRunAsNonRoot in k8s.io/kubernetes pkg/kubelet/kuberuntime
// v1.37.2.
func (r *Reconciler) verifyNonRoot(pod *corev1.Pod, c *corev1.Container, s security) error {
	if !s.nonRoot {
		return nil
	}
	if s.uid == 0 {
		return fmt.Errorf("container's runAsUser breaks non-root policy (pod: %q, container: %s)", podstate.PodTitle(pod), c.Name)
	}
	if uid, _, _ := r.cfg.Runtime.User(c.Image, s.uid, s.gid); uid == 0 {
		return fmt.Errorf("container has runAsNonRoot and image will run as root (pod: %q, container: %s)", podstate.PodTitle(pod), c.Name)
	}
	return nil
}

// userOf is securityOf with the groups that the image has the user in, unless the Pod
// wants those alone that it names.
func (r *Reconciler) userOf(pod *corev1.Pod, c *corev1.Container) security {
	s := securityOf(pod, c)
	if p := pod.Spec.SecurityContext; p != nil && p.SupplementalGroupsPolicy != nil && *p.SupplementalGroupsPolicy == corev1.SupplementalGroupsPolicyStrict {
		return s
	}
	_, gid, groups := r.cfg.Runtime.User(c.Image, s.uid, s.gid)
	groups = slices.DeleteFunc(groups, func(g int64) bool { return g == gid })
	s.groups = append(groups, s.groups...)
	return s
}

// userStatus is the user in a container's status.
func (r *Reconciler) userStatus(pod *corev1.Pod, c *corev1.Container) *corev1.ContainerUser {
	s := r.userOf(pod, c)
	linux := corev1.LinuxContainerUser{}
	linux.UID, linux.GID, _ = r.cfg.Runtime.User(c.Image, s.uid, s.gid)
	linux.SupplementalGroups = append([]int64{linux.GID}, s.groups...)
	return &corev1.ContainerUser{Linux: &linux}
}
