package decide

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// killed is a running container that has to end since so many seconds, with 30
// seconds of grace.
func killed(seconds int, options ...func(*podstate.Killing)) podstate.Container {
	k := &podstate.Killing{Since: past(-seconds), Grace: 30 * time.Second}
	for _, o := range options {
		o(k)
	}
	return podstate.Container{Activity: podstate.Running, Current: &podstate.Instance{}, Started: true, Kill: k}
}

// termSent says that SIGTERM was sent, and so many seconds are left from now on.
func termSent(seconds int) func(*podstate.Killing) {
	return func(k *podstate.Killing) { k.Term, k.Deadline = noon, past(seconds) }
}

func preStop(h podstate.Hook) func(*podstate.Killing) {
	return func(k *podstate.Killing) { k.PreStop = &h }
}

func TestDecideStop(t *testing.T) {
	stopping := func(containers ...podstate.Container) *podstate.State {
		s := stateOf(containers...)
		s.Stop = &podstate.Stop{Since: noon}
		return s
	}
	run := podstate.Container{Activity: podstate.Running, Current: &podstate.Instance{}}
	side, sideKilled := run, killed(0)
	side.Role, sideKilled.Role = podstate.Sidecar, podstate.Sidecar
	both := Plan{Do: []Action{{Verb: BeginKill, Container: 0}, {Verb: BeginKill, Container: 1}}}
	pod := newPod("p", deleted(30))
	one, pair := withInit(corev1.ContainerRestartPolicyAlways), withInit(corev1.ContainerRestartPolicyAlways, corev1.ContainerRestartPolicyAlways)
	work := func(seconds int) Plan { return at(past(seconds), engine.Progress) }
	for name, tc := range map[string]struct {
		pod  *corev1.Pod
		s    *podstate.State
		want Plan
	}{
		"a running container is told":               {pod, stopping(run), do(BeginKill, 0)},
		"a sidecar is told at once, too":            {newPod("p", deleted(30), one), stopping(side, run), both},
		"without a hook it is asked to end":         {pod, stopping(killed(0)), do(Terminate, 0)},
		"the hook goes first":                       {pod, stopping(killed(10, preStop(podstate.Hook{}))), work(20)},
		"a hook that sleeps":                        {pod, stopping(killed(10, preStop(podstate.Hook{Until: past(5)}))), work(5)},
		"a hook has slept":                          {pod, stopping(killed(10, preStop(podstate.Hook{Until: noon}))), do(EndPreStop, 0)},
		"a hook's command has ended":                {pod, stopping(killed(10, preStop(podstate.Hook{Ended: true}))), do(EndPreStop, 0)},
		"a hook that takes all the grace":           {pod, stopping(killed(30, preStop(podstate.Hook{}))), do(Terminate, 0)},
		"it has what is left of its grace":          {pod, stopping(killed(10, termSent(20))), work(20)},
		"then it is killed":                         {pod, stopping(killed(30, termSent(0))), do(Kill, 0)},
		"a sidecar waits for the others":            {newPod("p", deleted(30), one), stopping(sideKilled, killed(0, termSent(20))), work(20)},
		"sidecars go in reverse order":              {newPod("p", deleted(30), pair), stopping(sideKilled, sideKilled, podstate.Container{Current: exitedAt(0, 0)}), work(30).and(do(Terminate, 1))},
		"a second deletion leaves less time":        {newPod("p", deleted(5)), stopping(killed(10, termSent(20))), do(HastenKill, 0)},
		"a Pod without a container to end":          {pod, stopping(podstate.Container{}), do(Finish, -1)},
		"a sidecar's wait ends when its grace does": {newPod("p", deleted(30), one), stopping(func() podstate.Container { c := killed(30); c.Role = podstate.Sidecar; return c }(), killed(30, termSent(2))), work(2).and(do(Terminate, 0))},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Next(tc.pod, tc.s, noon)); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecideUnhealthy(t *testing.T) {
	always, never := newPod("p", policy(corev1.RestartPolicyAlways)), newPod("p")
	two := func(p *corev1.Pod) { p.Spec.Containers = append(p.Spec.Containers, p.Spec.Containers[0]) }
	run := podstate.Container{Activity: podstate.Running, Current: &podstate.Instance{}, Started: true}
	sick := run
	sick.Unhealthy = podstate.LivenessFailed
	starting := run
	starting.PostStart = &podstate.Hook{Until: past(5)}
	begin := Plan{Do: []Action{{Verb: BeginKill, Why: podstate.LivenessFailed}}}
	stopNow := Plan{Do: []Action{{Verb: StopPod, Container: -1, Stop: podstate.Stop{Since: noon}}}}
	again := podstate.Container{Current: exitedAt(0, 137), Killed: true}
	backedOff := again
	backedOff.Last, backedOff.BackOff = exitedAt(-20, 137), podstate.BackOff{Delay: 40 * time.Second, Updated: past(-20)}
	for name, tc := range map[string]struct {
		pod  *corev1.Pod
		s    *podstate.State
		want Plan
	}{
		"an unhealthy container is ended":           {always, stateOf(sick), begin},
		"one that never restarts ends with its Pod": {never, stateOf(sick), stopNow},
		"unless others run":                         {newPod("p", two), stateOf(sick, run), begin},
		"while it ends nothing starts":              {newPod("p", policy(corev1.RestartPolicyAlways), two), stateOf(killed(0, termSent(9)), podstate.Container{}), at(past(9), engine.Progress)},
		"it is started again at once":               {always, stateOf(again), do(Pull, 0)},
		"the back-off counts from the one before":   {always, stateOf(backedOff), do(BackOffRestart, 0)},
		"a postStart hook keeps the others waiting": {newPod("p", two), stateOf(starting, podstate.Container{}), at(past(5), engine.Progress)},
		"it ends": {never, stateOf(podstate.Container{Activity: podstate.Running, Current: &podstate.Instance{}, PostStart: &podstate.Hook{Ended: true}}), do(EndPostStart, 0)},
		"a sidecar that has not started keeps them waiting": {newPod("p", withInit(corev1.ContainerRestartPolicyAlways)), stateOf(podstate.Container{Role: podstate.Sidecar, Activity: podstate.Running, Current: &podstate.Instance{}}, podstate.Container{}), Plan{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Next(tc.pod, tc.s, noon)); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}
