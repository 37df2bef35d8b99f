package lifecycle

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// past returns the instant so many seconds past noon.
func past(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

func exitedAt(seconds int, code int32) *instance {
	return &instance{ID: "containerd://x", Exited: true, ExitCode: code, StartedAt: noon, FinishedAt: past(seconds)}
}

// stateOf is a Pod's state with a ready sandbox and these containers.
func stateOf(containers ...containerState) *podState {
	return &podState{StartTime: noon, Sandbox: sandboxReady, Containers: containers}
}

func deleted(grace int64) option {
	return func(p *corev1.Pod) {
		at := metav1.NewTime(noon.Add(time.Duration(grace) * time.Second))
		p.DeletionTimestamp, p.DeletionGracePeriodSeconds = &at, &grace
	}
}

func withInit(policies ...corev1.ContainerRestartPolicy) option {
	return func(p *corev1.Pod) {
		for _, policy := range policies {
			c := corev1.Container{Name: "i"}
			if policy != "" {
				c.RestartPolicy = &policy
			}
			p.Spec.InitContainers = append(p.Spec.InitContainers, c)
		}
	}
}

func TestDecide(t *testing.T) {
	never, always, onFailure := newPod("p"), newPod("p", policy(corev1.RestartPolicyAlways)), newPod("p", policy(corev1.RestartPolicyOnFailure))
	sidecarPod := newPod("p", withInit(corev1.ContainerRestartPolicyAlways))
	deadline := newPod("p", func(p *corev1.Pod) { seconds := int64(5); p.Spec.ActiveDeadlineSeconds = &seconds })
	stopNow := plan{Do: []action{{Verb: stopPod, Container: -1, Stop: stop{Since: past(0)}}}}
	tenSeconds := backOff{Delay: 10 * time.Second, Updated: noon}
	work := func(seconds int) plan { return at(past(seconds), engine.Work) }
	for name, tc := range map[string]struct {
		pod  *corev1.Pod
		s    *podState
		want plan
	}{
		"a new Pod gets a sandbox":              {never, &podState{StartTime: noon}, do(beginSandbox, -1)},
		"a missing volume makes it wait":        {never, &podState{StartTime: noon, Blocked: true}, plan{}},
		"a sandbox takes its time":              {never, &podState{Sandbox: sandboxStarting, SandboxAt: past(1)}, work(1)},
		"a sandbox is ready":                    {never, &podState{Sandbox: sandboxStarting, SandboxAt: noon}, do(endSandbox, -1)},
		"then the image is pulled":              {never, stateOf(containerState{}), do(pull, 0)},
		"a pull takes its time":                 {never, stateOf(containerState{Stage: pulling, At: past(2)}), work(2)},
		"a pull ends":                           {never, stateOf(containerState{Stage: pulling, At: noon}), do(endPull, 0)},
		"a created container starts":            {never, stateOf(containerState{Stage: creating, At: noon}), do(start, 0)},
		"a missing Secret makes it wait":        {never, stateOf(containerState{Blocked: true, Reason: createConfigError}), plan{}},
		"a container that runs to its end":      {never, stateOf(containerState{Stage: running, Current: &instance{}, WakeAt: past(30)}), work(30)},
		"a service's loop moves no time":        {always, stateOf(containerState{Stage: running, Current: &instance{}, WakeAt: past(30)}), at(past(30), engine.Recurring)},
		"a failure under Never ends the Pod":    {never, stateOf(containerState{Current: exitedAt(0, 1)}), stopNow},
		"success under OnFailure ends the Pod":  {onFailure, stateOf(containerState{Current: exitedAt(0, 0)}), stopNow},
		"the first restart is at once":          {onFailure, stateOf(containerState{Current: exitedAt(0, 1)}), do(pull, 0)},
		"success under Always restarts":         {always, stateOf(containerState{Current: exitedAt(0, 0)}), do(pull, 0)},
		"the back-off is seen after a second":   {onFailure, stateOf(containerState{Current: exitedAt(0, 1), BackOff: tenSeconds}), work(1)},
		"the back-off is told once":             {onFailure, stateOf(containerState{Current: exitedAt(-1, 1), BackOff: tenSeconds}), do(backOffRestart, 0)},
		"a service's back-off moves no time":    {onFailure, stateOf(containerState{Current: exitedAt(-1, 1), BackOff: tenSeconds, Reason: crashLoopBackOff}), at(past(9), engine.Recurring)},
		"a Job's back-off does":                 {onFailure, &podState{StartTime: noon, Sandbox: sandboxReady, JobOwned: true, Containers: []containerState{{Current: exitedAt(-1, 1), BackOff: tenSeconds, Reason: crashLoopBackOff}}}, work(9)},
		"a back-off ends":                       {onFailure, stateOf(containerState{Current: exitedAt(-10, 1), BackOff: tenSeconds, Reason: crashLoopBackOff}), do(pull, 0)},
		"ten minutes of running end a back-off": {onFailure, stateOf(containerState{Current: exitedAt(0, 1), BackOff: backOff{Delay: backOffMax, Updated: past(-601)}}), do(pull, 0)},
		"an image is tried again":               {never, stateOf(containerState{Reason: imagePullBackOff, PullBackOff: backOff{Delay: 10 * time.Second, Updated: past(-10)}}), do(pull, 0)},
		"init comes first":                      {newPod("p", withInit("")), stateOf(containerState{Role: initializer}, containerState{}), do(pull, 0)},
		"init runs alone":                       {newPod("p", withInit("")), stateOf(containerState{Role: initializer, Stage: running, Current: &instance{}, WakeAt: past(3)}, containerState{}), work(3)},
		"after init the others start":           {newPod("p", withInit("")), stateOf(containerState{Role: initializer, Current: exitedAt(0, 0)}, containerState{}), do(pull, 1)},
		"a failed init ends the Pod":            {newPod("p", withInit("")), stateOf(containerState{Role: initializer, Current: exitedAt(0, 1)}, containerState{}), stopNow},
		"a running sidecar lets the others in":  {sidecarPod, stateOf(containerState{Role: sidecar, Stage: running, Started: true, Current: &instance{}}, containerState{}), do(pull, 1)},
		"a sidecar does not keep a Pod alive":   {sidecarPod, stateOf(containerState{Role: sidecar, Stage: running, Started: true, Current: &instance{}}, containerState{Current: exitedAt(0, 0)}), stopNow},
		"a deadline is work":                    {deadline, stateOf(containerState{Stage: running, Current: &instance{}}), work(5)},
		"a deleted Pod stops":                   {newPod("p", deleted(30)), stateOf(containerState{Stage: running, Current: &instance{}}), stopNow},
		"a finished Pod rests":                  {newPod("p", deleted(30)), &podState{Finished: true}, plan{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, decide(tc.pod, tc.s, noon)); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBackOffDoubles(t *testing.T) {
	var b backOff
	var got []time.Duration
	for range 7 {
		b = b.next(noon, noon)
		got = append(got, b.Delay/time.Second)
	}
	if diff := cmp.Diff([]time.Duration{10, 20, 40, 80, 160, 300, 300}, got); diff != "" {
		t.Errorf("seconds (-want +got):\n%s", diff)
	}
}

func TestPhase(t *testing.T) {
	run := containerState{Stage: running, Current: &instance{}}
	ended := func(code int32) containerState { return containerState{Current: exitedAt(0, code)} }
	finished := func(reason string, containers ...containerState) *podState {
		s := stateOf(containers...)
		s.Finished, s.Stop = true, &stop{Reason: reason}
		return s
	}
	init := func(c containerState) containerState { c.Role = initializer; return c }
	for name, tc := range map[string]struct {
		s    *podState
		want corev1.PodPhase
	}{
		"nothing has started":            {stateOf(containerState{}), corev1.PodPending},
		"one of two runs":                {stateOf(run, containerState{}), corev1.PodPending},
		"both run":                       {stateOf(run, run), corev1.PodRunning},
		"one runs, one has ended":        {stateOf(run, ended(1)), corev1.PodRunning},
		"init runs":                      {stateOf(init(run), containerState{}), corev1.PodPending},
		"a container waits to run again": {stateOf(ended(1)), corev1.PodRunning},
		"all have succeeded":             {finished("", ended(0), ended(0)), corev1.PodSucceeded},
		"one has failed":                 {finished("", ended(0), ended(3)), corev1.PodFailed},
		"init has failed":                {finished("", init(ended(1)), containerState{}), corev1.PodFailed},
		"none has ever started":          {finished("", containerState{}), corev1.PodFailed},
		"the deadline has passed":        {finished(deadlineExceeded, ended(0)), corev1.PodFailed},
	} {
		t.Run(name, func(t *testing.T) {
			if got := phase(tc.s); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}
