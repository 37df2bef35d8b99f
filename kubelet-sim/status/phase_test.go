package status

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

func TestPhase(t *testing.T) {
	exitedAt := func(code int32) *podstate.Instance {
		return &podstate.Instance{ID: "containerd://x", Exited: true, ExitCode: code}
	}
	stateOf := func(containers ...podstate.Container) *podstate.State {
		return &podstate.State{Sandbox: podstate.SandboxReady, Containers: containers}
	}
	run := podstate.Container{Activity: podstate.Running, Current: &podstate.Instance{}}
	ended := func(code int32) podstate.Container { return podstate.Container{Current: exitedAt(code)} }
	finished := func(reason string, containers ...podstate.Container) *podstate.State {
		s := stateOf(containers...)
		s.Finished, s.Stop = true, &podstate.Stop{Reason: reason}
		return s
	}
	init := func(c podstate.Container) podstate.Container { c.Role = podstate.Initializer; return c }
	for name, tc := range map[string]struct {
		s    *podstate.State
		want corev1.PodPhase
	}{
		"nothing has started":            {stateOf(podstate.Container{}), corev1.PodPending},
		"one of two runs":                {stateOf(run, podstate.Container{}), corev1.PodPending},
		"both run":                       {stateOf(run, run), corev1.PodRunning},
		"one runs, one has ended":        {stateOf(run, ended(1)), corev1.PodRunning},
		"init runs":                      {stateOf(init(run), podstate.Container{}), corev1.PodPending},
		"a container waits to run again": {stateOf(ended(1)), corev1.PodRunning},
		"all have succeeded":             {finished("", ended(0), ended(0)), corev1.PodSucceeded},
		"one has failed":                 {finished("", ended(0), ended(3)), corev1.PodFailed},
		"init has failed":                {finished("", init(ended(1)), podstate.Container{}), corev1.PodFailed},
		"none has ever started":          {finished("", podstate.Container{}), corev1.PodFailed},
		"the deadline has passed":        {finished("DeadlineExceeded", ended(0)), corev1.PodFailed},
	} {
		t.Run(name, func(t *testing.T) {
			if got := phase(tc.s); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}
