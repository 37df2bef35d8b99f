package decide

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// past returns the instant so many seconds past noonOf.
func past(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

func exitedAt(seconds int, code int32) *podstate.Instance {
	return &podstate.Instance{ID: "containerd://x", Exited: true, ExitCode: code, StartedAt: noon, FinishedAt: past(seconds)}
}

// stateOf is a Pod's state with a ready sandbox and these containers.
func stateOf(containers ...podstate.Container) *podstate.State {
	return &podstate.State{StartTime: noon, Sandbox: podstate.SandboxReady, Containers: containers}
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
	stopNow := Plan{Do: []Action{{Verb: StopPod, Container: -1, Stop: podstate.Stop{Since: past(0)}}}}
	tenSeconds := podstate.BackOff{Delay: 10 * time.Second, Updated: noon}
	work := func(seconds int) Plan { return at(past(seconds), engine.Progress) }
	for name, tc := range map[string]struct {
		pod  *corev1.Pod
		s    *podstate.State
		want Plan
	}{
		"a new Pod gets a sandbox":              {never, &podstate.State{StartTime: noon}, do(BeginSandbox, -1)},
		"a missing volume makes it wait":        {never, &podstate.State{StartTime: noon, Blocked: true}, Plan{}},
		"a sandbox takes its time":              {never, &podstate.State{Sandbox: podstate.SandboxStarting, SandboxAt: past(1)}, work(1)},
		"a sandbox is ready":                    {never, &podstate.State{Sandbox: podstate.SandboxStarting, SandboxAt: noon}, do(EndSandbox, -1)},
		"then the image is pulled":              {never, stateOf(podstate.Container{}), do(Pull, 0)},
		"a pull takes its time":                 {never, stateOf(podstate.Container{Activity: podstate.Pulling, At: past(2)}), work(2)},
		"a pull ends":                           {never, stateOf(podstate.Container{Activity: podstate.Pulling, At: noon}), do(EndPull, 0)},
		"a created container starts":            {never, stateOf(podstate.Container{Activity: podstate.Creating, At: noon}), do(Start, 0)},
		"a missing Secret makes it wait":        {never, stateOf(podstate.Container{Blocked: true, Reason: podstate.ReasonCreateConfigError}), Plan{}},
		"a container that runs to its end":      {never, stateOf(podstate.Container{Activity: podstate.Running, Current: &podstate.Instance{}, WakeAt: past(30)}), work(30)},
		"a service's loop moves no time":        {always, stateOf(podstate.Container{Activity: podstate.Running, Current: &podstate.Instance{}, WakeAt: past(30)}), at(past(30), engine.Routine)},
		"a failure under Never ends the Pod":    {never, stateOf(podstate.Container{Current: exitedAt(0, 1)}), stopNow},
		"success under OnFailure ends the Pod":  {onFailure, stateOf(podstate.Container{Current: exitedAt(0, 0)}), stopNow},
		"the first restart is at once":          {onFailure, stateOf(podstate.Container{Current: exitedAt(0, 1)}), do(Pull, 0)},
		"success under Always restarts":         {always, stateOf(podstate.Container{Current: exitedAt(0, 0)}), do(Pull, 0)},
		"the back-off is seen after a second":   {onFailure, stateOf(podstate.Container{Current: exitedAt(0, 1), BackOff: tenSeconds}), work(1)},
		"the back-off is told once":             {onFailure, stateOf(podstate.Container{Current: exitedAt(-1, 1), BackOff: tenSeconds}), do(BackOffRestart, 0)},
		"a service's back-off moves no time":    {onFailure, stateOf(podstate.Container{Current: exitedAt(-1, 1), BackOff: tenSeconds, Reason: podstate.ReasonCrashLoopBackOff}), at(past(9), engine.Routine)},
		"a Job's back-off does":                 {onFailure, &podstate.State{StartTime: noon, Sandbox: podstate.SandboxReady, JobOwned: true, Containers: []podstate.Container{{Current: exitedAt(-1, 1), BackOff: tenSeconds, Reason: podstate.ReasonCrashLoopBackOff}}}, work(9)},
		"a back-off ends":                       {onFailure, stateOf(podstate.Container{Current: exitedAt(-10, 1), BackOff: tenSeconds, Reason: podstate.ReasonCrashLoopBackOff}), do(Pull, 0)},
		"ten minutes of running end a back-off": {onFailure, stateOf(podstate.Container{Current: exitedAt(0, 1), BackOff: podstate.BackOff{Delay: podstate.BackOffMax, Updated: past(-601)}}), do(Pull, 0)},
		"an image is tried again":               {never, stateOf(podstate.Container{Reason: podstate.ReasonImagePullBackOff, PullBackOff: podstate.BackOff{Delay: 10 * time.Second, Updated: past(-10)}}), do(Pull, 0)},
		"init comes first":                      {newPod("p", withInit("")), stateOf(podstate.Container{Role: podstate.Initializer}, podstate.Container{}), do(Pull, 0)},
		"init runs alone":                       {newPod("p", withInit("")), stateOf(podstate.Container{Role: podstate.Initializer, Activity: podstate.Running, Current: &podstate.Instance{}, WakeAt: past(3)}, podstate.Container{}), work(3)},
		"after init the others start":           {newPod("p", withInit("")), stateOf(podstate.Container{Role: podstate.Initializer, Current: exitedAt(0, 0)}, podstate.Container{}), do(Pull, 1)},
		"a failed init ends the Pod":            {newPod("p", withInit("")), stateOf(podstate.Container{Role: podstate.Initializer, Current: exitedAt(0, 1)}, podstate.Container{}), stopNow},
		"a running sidecar lets the others in":  {sidecarPod, stateOf(podstate.Container{Role: podstate.Sidecar, Activity: podstate.Running, Started: true, Current: &podstate.Instance{}}, podstate.Container{}), do(Pull, 1)},
		"a sidecar does not keep a Pod alive":   {sidecarPod, stateOf(podstate.Container{Role: podstate.Sidecar, Activity: podstate.Running, Started: true, Current: &podstate.Instance{}}, podstate.Container{Current: exitedAt(0, 0)}), stopNow},
		"a deadline is work":                    {deadline, stateOf(podstate.Container{Activity: podstate.Running, Current: &podstate.Instance{}}), work(5)},
		"a deleted Pod stops":                   {newPod("p", deleted(30)), stateOf(podstate.Container{Activity: podstate.Running, Current: &podstate.Instance{}}), stopNow},
		"a finished Pod rests":                  {newPod("p", deleted(30)), &podstate.State{Finished: true}, Plan{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Next(tc.pod, tc.s, noon)); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}
