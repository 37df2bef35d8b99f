package lifecycle

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
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
	runs := &instance{ID: "containerd://y", StartedAt: noon}
	up := func(name string, how role) containerState {
		return containerState{Name: name, Role: how, Stage: running, Started: true, Current: runs}
	}
	down := func(code int32) containerState { return containerState{Name: "c", Current: exitedAt(0, code)} }
	removed := func(name string, how role) containerState {
		return containerState{Name: name, Role: how, Current: removedInstance(2), Reason: restartingAllContainers}
	}
	kill := func(i int) plan { return plan{Do: []action{{Verb: beginKill, Container: i, Why: restartAll}}} }
	hanging := up("d", regular)
	hanging.Kill = &killing{Reason: restartAll, Since: past(1), Term: past(1), Deadline: past(3)}
	for name, tc := range map[string]struct {
		s    *podState
		at   int
		want plan
	}{
		"it takes the kubelet a second to see it": {stateOf(up("i", sidecar), down(42), up("d", regular)), 0, at(past(1), engine.Work)},
		"another exit code does not count":        {stateOf(up("i", sidecar), down(1), up("d", regular)), 1, plan{}},
		"the regular containers end first":        {stateOf(up("i", sidecar), down(42), up("d", regular)), 1, kill(2)},
		"they have two seconds":                   {stateOf(up("i", sidecar), down(42), hanging), 2, at(past(3), engine.Work)},
		"the sidecars end after them":             {stateOf(up("i", sidecar), down(42), containerState{Name: "d", Current: exitedAt(1, 137)}), 1, kill(0)},
		"then all are removed": {
			stateOf(containerState{Name: "i", Role: sidecar, Current: exitedAt(1, 137)}, down(42), containerState{Name: "d", Current: exitedAt(1, 137)}),
			1, do(removeAll, -1),
		},
		"the Pod begins again with its sidecar, at once": {stateOf(removed("i", sidecar), removed("c", regular), removed("d", regular)), 1, do(pull, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, decide(pod, tc.s, past(tc.at))); diff != "" {
				t.Errorf("decide (-want +got):\n%s", diff)
			}
		})
	}
}
