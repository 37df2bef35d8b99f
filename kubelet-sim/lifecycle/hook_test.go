package lifecycle

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/cri"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

func execHook(script string) *corev1.LifecycleHandler {
	return &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"/bin/sh", "-c", script}}}
}

func sleepHook(seconds int64) *corev1.LifecycleHandler {
	return &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: seconds}}
}

func hooks(postStart, preStop *corev1.LifecycleHandler) option {
	return func(p *corev1.Pod) {
		p.Spec.Containers[0].Lifecycle = &corev1.Lifecycle{PostStart: postStart, PreStop: preStop}
	}
}

// since drops the Events before the one that begins with prefix.
func since(events []string, prefix string) []string {
	i := slices.IndexFunc(events, func(e string) bool { return len(e) >= len(prefix) && e[:len(prefix)] == prefix })
	return events[max(i, 0):]
}

func TestPreStop(t *testing.T) {
	loop := shell(`trap "echo TERM; exit 0" TERM; while true; do sleep 1; done`)
	for name, tc := range map[string]struct {
		pod    *corev1.Pod
		took   time.Duration
		last   string
		events []string
	}{
		"a command runs before SIGTERM": {
			pod:    newPod("p", policy(corev1.RestartPolicyAlways), loop, hooks(nil, execHook("sleep 7"))),
			took:   8 * time.Second,
			last:   "Succeeded c:Completed=0",
			events: []string{"Killing Stopping container c"},
		},
		"a sleep": {
			pod:    newPod("p", policy(corev1.RestartPolicyAlways), loop, hooks(nil, sleepHook(5))),
			took:   6 * time.Second,
			last:   "Succeeded c:Completed=0",
			events: []string{"Killing Stopping container c"},
		},
		"a command that fails": {
			pod:    newPod("p", policy(corev1.RestartPolicyAlways), loop, hooks(nil, execHook("exit 4"))),
			took:   time.Second,
			last:   "Succeeded c:Completed=0",
			events: []string{"Killing Stopping container c", "FailedPreStopHook PreStopHook failed"},
		},
		"a command that does not exist": {
			pod:  newPod("p", policy(corev1.RestartPolicyAlways), loop, hooks(nil, &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"nope"}}})),
			took: time.Second, last: "Succeeded c:Completed=0",
			events: []string{"Killing Stopping container c", "FailedPreStopHook PreStopHook failed"},
		},
		"a command that takes all the grace leaves two seconds": {
			pod:    newPod("p", policy(corev1.RestartPolicyAlways), shell("trap '' TERM; while true; do sleep 1; done"), hooks(nil, execHook("sleep 100"))),
			took:   32 * time.Second,
			last:   "Failed c:Error=137",
			events: []string{"Killing Stopping container c", "FailedPreStopHook PreStopHook failed"},
		},
		"a command that ends the container is cut off": {
			pod:    newPod("p", policy(corev1.RestartPolicyAlways), loop, hooks(nil, execHook("kill 1; sleep 100"))),
			took:   time.Second,
			last:   "Succeeded c:Completed=0",
			events: []string{"Killing Stopping container c", "FailedPreStopHook PreStopHook failed"},
		},
		"a request to a port that nobody listens on": {
			pod:  newPod("p", policy(corev1.RestartPolicyAlways), loop, hooks(nil, &corev1.LifecycleHandler{HTTPGet: &corev1.HTTPGetAction{Port: intstr.FromInt32(80)}})),
			took: time.Second, last: "Succeeded c:Completed=0",
			events: []string{"Killing Stopping container c", "FailedPreStopHook PreStopHook failed"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := restart(t, engine.Auto, nil, cri.Simulated())
			c.create(engine.Pods, tc.pod)
			at := c.engine.Now()
			c.delete("p")
			story := c.story("p")
			if got := story[len(story)-1]; got != tc.last {
				t.Errorf("in the end %s, want %s", got, tc.last)
			}
			if diff := cmp.Diff(tc.events, since(c.happened("p"), "Killing")); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if took := c.engine.Now().Sub(at); took > tc.took || took < tc.took-time.Second {
				t.Errorf("took %s, want %s", took, tc.took)
			}
		})
	}
}

func TestPostStart(t *testing.T) {
	for name, tc := range map[string]struct {
		pod    *corev1.Pod
		story  []string
		events []string
		log    string
	}{
		"the container counts as running when the hook has ended": {
			pod:    newPod("p", shell("sleep 5; cat /tmp/x; sleep 20"), hooks(execHook("sleep 3; echo hello > /tmp/x"), nil)),
			story:  []string{"Pending", "Pending c:ContainerCreating", "Running c:Running", "Succeeded c:Completed=0"},
			events: []string{"Started Container started"},
			log:    "hello\n",
		},
		"a container that ends before its hook": {
			pod:    newPod("p", shell("sleep 1"), hooks(execHook("sleep 10"), nil)),
			story:  []string{"Pending", "Pending c:ContainerCreating", "Succeeded c:Completed=0"},
			events: []string{"Started Container started", "FailedPostStartHook PostStartHook failed"},
		},
		"a hook that fails ends the container": {
			pod:    newPod("p", shell("sleep 100"), hooks(execHook("echo out; echo err >&2; exit 1"), nil)),
			story:  []string{"Pending", "Pending c:ContainerCreating", "Failed c:Error=137"},
			events: []string{"Started Container started", "FailedPostStartHook PostStartHook failed", "Killing FailedPostStartHook"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := restart(t, engine.Auto, nil, cri.Simulated())
			c.create(engine.Pods, tc.pod)
			if diff := cmp.Diff(tc.story, c.story("p")); diff != "" {
				t.Errorf("story (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.events, since(c.happened("p"), "Started")); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if got := c.read("p", nil); got != tc.log {
				t.Errorf("log %q, want %q", got, tc.log)
			}
		})
	}
}

func TestPostStartHookErrorIsTheReasonToWait(t *testing.T) {
	c := restart(t, engine.Auto, nil, cri.Simulated())
	c.create(engine.Pods, newPod("p", policy(corev1.RestartPolicyAlways), shell("trap 'exit 143' TERM; while true; do sleep 1; done"), hooks(execHook("echo out; echo err >&2; exit 1"), nil)))
	want := `Exec lifecycle hook ([/bin/sh -c echo out; echo err >&2; exit 1]) for Container "c" in Pod "p_default(uid-1)" failed - ` +
		`error: command '/bin/sh -c echo out; echo err >&2; exit 1' exited with 1: err
, message: "out\nerr\n"`
	for _, pod := range c.api.history {
		if s := pod.Status.ContainerStatuses; len(s) > 0 && s[0].State.Waiting != nil && s[0].State.Waiting.Reason == podstate.ReasonPostStartHookError {
			if diff := cmp.Diff(want, s[0].State.Waiting.Message); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
			return
		}
	}
	t.Errorf("never waited with %s: %v", podstate.ReasonPostStartHookError, c.story("p"))
}
