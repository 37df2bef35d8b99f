package lifecycle

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

func TestARejectedPodFails(t *testing.T) {
	port := func(p *corev1.Pod) {
		p.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 80, HostPort: 8080}}
	}
	c := newCluster(t, engine.Auto)
	c.create(engine.Pods, newPod("a", policy(corev1.RestartPolicyAlways), runs("hang"), port))
	c.create(engine.Pods, newPod("b", policy(corev1.RestartPolicyAlways), runs("hang"), port))
	got := c.api.pod(t, "b").Status
	want := "Pod was rejected: Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"
	if got.Phase != corev1.PodFailed || got.Reason != "NodePorts" || got.Message != want {
		t.Errorf("status %s %s %q", got.Phase, got.Reason, got.Message)
	}
	c.delete("a")
	c.create(engine.Pods, newPod("d", policy(corev1.RestartPolicyAlways), runs("hang"), port))
	if got := c.api.pod(t, "d").Status.Phase; got != corev1.PodRunning {
		t.Errorf("after the first is gone: %s", got)
	}
}
