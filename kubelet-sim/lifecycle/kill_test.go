package lifecycle

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// killed is a running container that has to end since so many seconds, with 30
// seconds of grace.
func killed(seconds int, options ...func(*killing)) containerState {
	k := &killing{Since: past(-seconds), Grace: 30 * time.Second}
	for _, o := range options {
		o(k)
	}
	return containerState{Stage: running, Current: &instance{}, Started: true, Kill: k}
}

// termSent says that SIGTERM was sent, and so many seconds are left from now on.
func termSent(seconds int) func(*killing) {
	return func(k *killing) { k.Term, k.Deadline = noon, past(seconds) }
}

func preStop(h hook) func(*killing) { return func(k *killing) { k.PreStop = &h } }

func TestDecideStop(t *testing.T) {
	stopping := func(containers ...containerState) *podState {
		s := stateOf(containers...)
		s.Stop = &stop{Since: noon}
		return s
	}
	run := containerState{Stage: running, Current: &instance{}}
	side, sideKilled := run, killed(0)
	side.Role, sideKilled.Role = sidecar, sidecar
	both := plan{Do: []action{{Verb: beginKill, Container: 0}, {Verb: beginKill, Container: 1}}}
	pod := newPod("p", deleted(30))
	one, pair := withInit(corev1.ContainerRestartPolicyAlways), withInit(corev1.ContainerRestartPolicyAlways, corev1.ContainerRestartPolicyAlways)
	work := func(seconds int) plan { return at(past(seconds), engine.Work) }
	for name, tc := range map[string]struct {
		pod  *corev1.Pod
		s    *podState
		want plan
	}{
		"a running container is told":               {pod, stopping(run), do(beginKill, 0)},
		"a sidecar is told at once, too":            {newPod("p", deleted(30), one), stopping(side, run), both},
		"without a hook it is asked to end":         {pod, stopping(killed(0)), do(terminate, 0)},
		"the hook goes first":                       {pod, stopping(killed(10, preStop(hook{}))), work(20)},
		"a hook that sleeps":                        {pod, stopping(killed(10, preStop(hook{Until: past(5)}))), work(5)},
		"a hook has slept":                          {pod, stopping(killed(10, preStop(hook{Until: noon}))), do(endPreStop, 0)},
		"a hook's command has ended":                {pod, stopping(killed(10, preStop(hook{Ended: true}))), do(endPreStop, 0)},
		"a hook that takes all the grace":           {pod, stopping(killed(30, preStop(hook{}))), do(terminate, 0)},
		"it has what is left of its grace":          {pod, stopping(killed(10, termSent(20))), work(20)},
		"then it is killed":                         {pod, stopping(killed(30, termSent(0))), do(kill, 0)},
		"a sidecar waits for the others":            {newPod("p", deleted(30), one), stopping(sideKilled, killed(0, termSent(20))), work(20)},
		"sidecars go in reverse order":              {newPod("p", deleted(30), pair), stopping(sideKilled, sideKilled, containerState{Current: exitedAt(0, 0)}), work(30).and(do(terminate, 1))},
		"a second deletion leaves less time":        {newPod("p", deleted(5)), stopping(killed(10, termSent(20))), do(hastenKill, 0)},
		"a Pod without a container to end":          {pod, stopping(containerState{}), do(finish, -1)},
		"a sidecar's wait ends when its grace does": {newPod("p", deleted(30), one), stopping(func() containerState { c := killed(30); c.Role = sidecar; return c }(), killed(30, termSent(2))), work(2).and(do(terminate, 0))},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, decide(tc.pod, tc.s, noon)); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

func TestGrace(t *testing.T) {
	five, forty := int64(5), int64(40)
	c := &corev1.Container{LivenessProbe: &corev1.Probe{TerminationGracePeriodSeconds: &five}, StartupProbe: &corev1.Probe{}}
	own := newPod("p", func(p *corev1.Pod) { p.Spec.TerminationGracePeriodSeconds = &forty })
	for name, tc := range map[string]struct {
		pod  *corev1.Pod
		why  killReason
		want time.Duration
	}{
		"the Pod's own":                             {own, "", 40 * time.Second},
		"the liveness probe's":                      {own, livenessFailed, 5 * time.Second},
		"a startup probe without one has the Pod's": {own, startupFailed, 40 * time.Second},
		"the deletion's":                            {newPod("p", deleted(7)), livenessFailed, 7 * time.Second},
		"none":                                      {newPod("p"), "", graceLeast},
	} {
		t.Run(name, func(t *testing.T) {
			if got := grace(tc.pod, c, tc.why); got != tc.want {
				t.Errorf("%v, want %v", got, tc.want)
			}
		})
	}
}

func TestGraceThatIsLeft(t *testing.T) {
	k := &killing{Since: noon, Grace: 10 * time.Second}
	for name, tc := range map[string]struct{ after, want time.Duration }{
		"all of it":              {0, 10 * time.Second},
		"whole seconds count":    {3900 * time.Millisecond, 7 * time.Second},
		"two seconds, at least":  {9 * time.Second, graceLeast},
		"also when all is spent": {time.Minute, graceLeast},
	} {
		t.Run(name, func(t *testing.T) {
			if got := k.left(noon.Add(tc.after)); got != tc.want {
				t.Errorf("%v, want %v", got, tc.want)
			}
		})
	}
}

func TestDecideUnhealthy(t *testing.T) {
	always, never := newPod("p", policy(corev1.RestartPolicyAlways)), newPod("p")
	two := func(p *corev1.Pod) { p.Spec.Containers = append(p.Spec.Containers, p.Spec.Containers[0]) }
	run := containerState{Stage: running, Current: &instance{}, Started: true}
	sick := run
	sick.Unhealthy = livenessFailed
	starting := run
	starting.PostStart = &hook{Until: past(5)}
	begin := plan{Do: []action{{Verb: beginKill, Why: livenessFailed}}}
	stopNow := plan{Do: []action{{Verb: stopPod, Container: -1, Stop: stop{Since: noon}}}}
	again := containerState{Current: exitedAt(0, 137), Killed: true}
	backedOff := again
	backedOff.Last, backedOff.BackOff = exitedAt(-20, 137), backOff{Delay: 40 * time.Second, Updated: past(-20)}
	for name, tc := range map[string]struct {
		pod  *corev1.Pod
		s    *podState
		want plan
	}{
		"an unhealthy container is ended":           {always, stateOf(sick), begin},
		"one that never restarts ends with its Pod": {never, stateOf(sick), stopNow},
		"unless others run":                         {newPod("p", two), stateOf(sick, run), begin},
		"while it ends nothing starts":              {newPod("p", policy(corev1.RestartPolicyAlways), two), stateOf(killed(0, termSent(9)), containerState{}), at(past(9), engine.Work)},
		"it is started again at once":               {always, stateOf(again), do(pull, 0)},
		"the back-off counts from the one before":   {always, stateOf(backedOff), do(backOffRestart, 0)},
		"a postStart hook keeps the others waiting": {newPod("p", two), stateOf(starting, containerState{}), at(past(5), engine.Work)},
		"it ends": {never, stateOf(containerState{Stage: running, Current: &instance{}, PostStart: &hook{Ended: true}}), do(endPostStart, 0)},
		"a sidecar that has not started keeps them waiting": {newPod("p", withInit(corev1.ContainerRestartPolicyAlways)), stateOf(containerState{Role: sidecar, Stage: running, Current: &instance{}}, containerState{}), plan{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, decide(tc.pod, tc.s, noon)); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}
