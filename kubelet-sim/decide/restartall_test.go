package decide

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

func TestRestartAllContainers(t *testing.T) {
	never := corev1.ContainerRestartPolicyNever
	pod := newPod("p", withInit(corev1.ContainerRestartPolicyAlways), func(p *corev1.Pod) {
		p.Spec.Containers[0].RestartPolicy = &never
		p.Spec.Containers[0].RestartPolicyRules = []corev1.ContainerRestartRule{{
			Action:    corev1.ContainerRestartRuleActionRestartAllContainers,
			ExitCodes: &corev1.ContainerRestartRuleOnExitCodes{Operator: corev1.ContainerRestartRuleOnExitCodesOpIn, Values: []int32{42}},
		}}
		p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "d"})
	})
	runs := &podstate.Instance{ID: "containerd://y", StartedAt: noon}
	up := func(name string, how podstate.Role) podstate.Container {
		return podstate.Container{Name: name, Role: how, Activity: podstate.Running, Started: true, Current: runs}
	}
	down := func(code int32) podstate.Container { return podstate.Container{Name: "c", Current: exitedAt(0, code)} }
	removed := func(name string, how podstate.Role) podstate.Container {
		return podstate.Container{Name: name, Role: how, Current: podstate.RemovedInstance(2), Reason: podstate.ReasonRestartingAll}
	}
	kill := func(i int) Plan { return Plan{Do: []Action{{Verb: BeginKill, Container: i, Why: podstate.RestartAll}}} }
	hanging := up("d", podstate.Regular)
	hanging.Kill = &podstate.Killing{Reason: podstate.RestartAll, Since: past(1), Term: past(1), Deadline: past(3)}
	for name, tc := range map[string]struct {
		s    *podstate.State
		at   int
		want Plan
	}{
		"it takes the kubelet a second to see it": {stateOf(up("i", podstate.Sidecar), down(42), up("d", podstate.Regular)), 0, at(past(1), engine.Progress)},
		"another exit code does not count":        {stateOf(up("i", podstate.Sidecar), down(1), up("d", podstate.Regular)), 1, Plan{}},
		"the regular containers end first":        {stateOf(up("i", podstate.Sidecar), down(42), up("d", podstate.Regular)), 1, kill(2)},
		"they have two seconds":                   {stateOf(up("i", podstate.Sidecar), down(42), hanging), 2, at(past(3), engine.Progress)},
		"the sidecars end after them":             {stateOf(up("i", podstate.Sidecar), down(42), podstate.Container{Name: "d", Current: exitedAt(1, 137)}), 1, kill(0)},
		"then all are removed": {
			stateOf(podstate.Container{Name: "i", Role: podstate.Sidecar, Current: exitedAt(1, 137)}, down(42), podstate.Container{Name: "d", Current: exitedAt(1, 137)}),
			1, do(RemoveAll, -1),
		},
		"the Pod begins again with its sidecar, at once": {stateOf(removed("i", podstate.Sidecar), removed("c", podstate.Regular), removed("d", podstate.Regular)), 1, do(Pull, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Next(pod, tc.s, past(tc.at))); diff != "" {
				t.Errorf("decide (-want +got):\n%s", diff)
			}
		})
	}
}
