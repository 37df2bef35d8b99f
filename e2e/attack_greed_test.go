package e2e

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// attackGreed runs the Pods of TestAttackersHoldUpNobody, which does it in real time, in
// the modes in which time waits for them. An honest Pod beside each comes to its end.
func attackGreed(t *testing.T, a *assault) {
	greedy := attacks()
	for i, name := range sample(a, sortedNames(greedy)) {
		for k, mode := range []string{"manual", "auto"} {
			if *attackScale < attackScaleMax && i%2 != k {
				continue
			}
			a.judge(t, "greedy Pods in mode "+mode, name, besideGreed(t, mode, attacker(name, greedy[name])))
		}
	}
}

// besideGreed says what was wrong with an honest Pod beside a greedy one. In mode auto both
// are created while the clock is paused: later the cluster may not come to rest for as long
// as a request may take, which is the answer then.
func besideGreed(t *testing.T, mode string, greedy *corev1.Pod) string {
	t.Helper()
	s := newServer(t, "--ephemeral", "--clock", mode, "--seed", "1", "--nodes", "1")
	pods := clientOf(t, s).CoreV1().Pods("default")
	if mode == "auto" {
		s.clock(t, "pause")
	}
	for _, pod := range []*corev1.Pod{greedy, attacker("honest", []string{"busybox", "echo", "done"})} {
		if _, err := pods.Create(t.Context(), pod, createOptions); err != nil {
			return err.Error()
		}
	}
	if mode == "auto" {
		_ = run(s, "", "kubesim", "clock", "resume")
	} else {
		s.clock(t, "advance", "20s")
	}
	eventuallyIn(t, patience, func() error {
		pod, err := pods.Get(t.Context(), "honest", metav1.GetOptions{})
		if err == nil && pod.Status.Phase != corev1.PodSucceeded {
			err = fmt.Errorf("the honest Pod is %s", pod.Status.Phase)
		}
		return err
	})
	return said(s.stop())
}
