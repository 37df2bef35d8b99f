package lifecycle

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

func TestReadiness(t *testing.T) {
	c := newCluster(t, engine.Manual)
	c.create(engine.Pods, newPod("p", withVolume("v"), runs("sleep 12", "write /v/ready x", "sleep 1000"), func(p *corev1.Pod) {
		p.Spec.Containers[0].ReadinessProbe = &corev1.Probe{
			ProbeHandler:  corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"test /v/ready"}}},
			PeriodSeconds: 5, SuccessThreshold: 1, FailureThreshold: 3,
		}
	}))
	ready := func() bool { return c.api.pod(t, "p").Status.ContainerStatuses[0].Ready }
	c.advance(12 * time.Second)
	if ready() {
		t.Error("ready before its time")
	}
	c.advance(5 * time.Second)
	if !ready() {
		t.Error("not ready in time")
	}
	events := c.happened("p")
	if got, want := events[len(events)-1], "Unhealthy Readiness probe failed: no /v/ready\n"; got != want {
		t.Errorf("event %q, want %q", got, want)
	}
	again := restart(t, engine.Manual, c, &fakeRuntime{})
	again.advance(time.Minute)
	if len(again.api.history) != 0 {
		t.Errorf("after a restart: %v", again.story("p"))
	}
}

func TestReadinessInModeAuto(t *testing.T) {
	c := newCluster(t, engine.Auto)
	c.create(engine.Pods, newPod("p", policy(corev1.RestartPolicyAlways), runs("hang"), func(p *corev1.Pod) {
		p.Spec.Containers[0].ReadinessProbe = &corev1.Probe{
			ProbeHandler:        corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"exit 0"}}},
			InitialDelaySeconds: 20, PeriodSeconds: 5, SuccessThreshold: 2, FailureThreshold: 3,
		}
	}))
	if !c.api.pod(t, "p").Status.ContainerStatuses[0].Ready {
		t.Error("time was not moved for the Pod to become ready")
	}
	if took := c.engine.Now().Sub(noon); took < 25*time.Second || took > 29*time.Second {
		t.Errorf("took %s", took)
	}
}
