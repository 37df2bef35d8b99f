package lifecycle

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

func TestDecideProbe(t *testing.T) {
	probe := &corev1.Probe{PeriodSeconds: 10, FailureThreshold: 3, SuccessThreshold: 1}
	for name, tc := range map[string]struct {
		p     probeState
		ready bool
		want  probeDecision
		wake  engine.Wake
	}{
		"the first check waits for the initial delay": {probeState{Next: noon.Add(5 * time.Second)}, false, wait, engine.Wake{At: noon.Add(5 * time.Second)}},
		"a check is due":                    {probeState{Next: noon}, false, beginCheck, engine.Wake{}},
		"a command takes its time":          {probeState{Next: noon, Deadline: noon.Add(time.Second)}, false, wait, engine.Wake{At: noon.Add(time.Second)}},
		"a command takes too long":          {probeState{Next: noon, Deadline: noon}, false, checkTimedOut, engine.Wake{}},
		"a ready container is a chore":      {probeState{Next: noon.Add(time.Second)}, true, wait, engine.Wake{At: noon.Add(time.Second), Kind: engine.Chore}},
		"a hopeless one too, after a while": {probeState{Next: noon.Add(time.Second), Checks: 4}, false, wait, engine.Wake{At: noon.Add(time.Second), Kind: engine.Chore}},
	} {
		t.Run(name, func(t *testing.T) {
			got, wake := decideProbe(probe, &tc.p, tc.ready, noon)
			if got != tc.want {
				t.Errorf("decision %v, want %v", got, tc.want)
			}
			if diff := cmp.Diff(tc.wake, wake); diff != "" {
				t.Errorf("wake (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadiness(t *testing.T) {
	c := newCluster(t, engine.Manual)
	c.create(engine.Pods, newPod("p", volume("v"), runs("sleep 12", "write /v/ready x", "sleep 1000"), func(p *corev1.Pod) {
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
