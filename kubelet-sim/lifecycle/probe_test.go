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
	at := func(seconds int, kind engine.Kind) engine.Wake { return engine.Wake{At: past(seconds), Kind: kind} }
	fresh := containerState{Started: true, Current: &instance{}}
	ready, slow, again := fresh, fresh, fresh
	ready.Ready, slow.Started = true, false
	again.Started, again.Current = false, &instance{Attempt: 1}
	for name, tc := range map[string]struct {
		c    containerState
		p    probeState
		want probeDecision
		wake engine.Wake
	}{
		"the first check waits for its tick":     {fresh, probeState{Type: readiness, Next: past(5)}, wait, at(5, engine.Work)},
		"a check is due":                         {fresh, probeState{Type: readiness, Next: noon}, beginCheck, engine.Wake{}},
		"a command takes its time":               {fresh, probeState{Type: readiness, Next: noon, Deadline: past(1)}, wait, at(1, engine.Work)},
		"a command takes too long":               {fresh, probeState{Type: readiness, Next: noon, Deadline: noon}, checkTimedOut, engine.Wake{}},
		"a ready container moves no time":        {ready, probeState{Type: readiness, Next: past(1)}, wait, at(1, engine.Recurring)},
		"nor does a hopeless one, after a while": {fresh, probeState{Type: readiness, Next: past(1), Checks: 4}, wait, at(1, engine.Recurring)},
		"liveness moves no time":                 {fresh, probeState{Type: liveness, Next: past(1)}, wait, at(1, engine.Recurring)},
		"a first start does":                     {slow, probeState{Type: startup, Next: past(1)}, wait, at(1, engine.Work)},
		"a further start does not":               {again, probeState{Type: startup, Next: past(1)}, wait, at(1, engine.Recurring)},
		"the others wait for the startup probe":  {slow, probeState{Type: liveness, Next: noon}, wait, engine.Wake{}},
		"what is over is not asked any more":     {fresh, probeState{Type: startup, Next: noon, Over: true}, wait, engine.Wake{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, wake := decideProbe(probe, &tc.c, &tc.p, noon)
			if got != tc.want {
				t.Errorf("decision %v, want %v", got, tc.want)
			}
			if diff := cmp.Diff(tc.wake, wake); diff != "" {
				t.Errorf("wake (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFirstCheck(t *testing.T) {
	in := &instance{StartedAt: noon.Add(2700 * time.Millisecond)}
	for name, tc := range map[string]struct {
		delay, period int32
		from          time.Time
		want          time.Duration // after noon
	}{
		"ticks count from the Pod's start":  {0, 10, noon, 10 * time.Second},
		"the delay ends between two ticks":  {5, 5, noon, 10 * time.Second},
		"the delay counts in whole seconds": {3, 5, noon, 5 * time.Second},
		"a readiness probe asks at once":    {0, 10, in.StartedAt, 2700 * time.Millisecond},
		"but keeps to the delay":            {8, 10, in.StartedAt, 12700 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			probe := &corev1.Probe{InitialDelaySeconds: tc.delay, PeriodSeconds: tc.period}
			if got := firstCheck(probe, in, tc.from).Sub(noon); got != tc.want {
				t.Errorf("%v, want %v", got, tc.want)
			}
		})
	}
}

func TestJudge(t *testing.T) {
	probe := &corev1.Probe{PeriodSeconds: 10, FailureThreshold: 3, SuccessThreshold: 2}
	p := probeState{Next: noon}
	var got []bool
	for _, success := range []bool{true, false, true, true, false, false, false, false} {
		got = append(got, p.judge(probe, success))
	}
	if diff := cmp.Diff([]bool{false, false, false, true, false, false, true, true}, got); diff != "" {
		t.Errorf("decided (-want +got):\n%s", diff)
	}
	if want := past(80); !p.Next.Equal(want) {
		t.Errorf("the next check is at %v, want %v", p.Next, want)
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

// TestAReadinessProbeIsWorkOnlyForAWhile: three failures of a probe every 1000 s are 50
// minutes, for which no write should wait.
func TestAReadinessProbeIsWorkOnlyForAWhile(t *testing.T) {
	for name, tc := range map[string]struct {
		period, checks int32
		last           bool
		want           engine.Kind
	}{
		"the first check":                    {1000, 0, false, engine.Work},
		"the second, 1000 s later":           {1000, 1, false, engine.Recurring},
		"the second success of those wanted": {1000, 1, true, engine.Work},
		"the default's last":                 {10, 3, false, engine.Work},
		"the default's one too many":         {10, 4, false, engine.Recurring},
	} {
		probe := &corev1.Probe{PeriodSeconds: tc.period, FailureThreshold: 3, SuccessThreshold: 2}
		c := &containerState{Started: true}
		_, wake := decideProbe(probe, c, &probeState{Type: readiness, Next: noon.Add(time.Second), Checks: tc.checks, Last: tc.last}, noon)
		if wake.Kind != tc.want {
			t.Errorf("%s: kind %d, want %d", name, wake.Kind, tc.want)
		}
	}
}
