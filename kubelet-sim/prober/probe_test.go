package prober

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

var noon = time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC)

// past returns the instant so many seconds past noon.
func past(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

func TestDecideProbe(t *testing.T) {
	probe := &corev1.Probe{PeriodSeconds: 10, FailureThreshold: 3, SuccessThreshold: 1}
	at := func(seconds int, why func(time.Time) engine.Wake) engine.Wake { return why(past(seconds)) }
	fresh, ready := Container{Started: true}, Container{Started: true, Ready: true}
	slow, again := Container{}, Container{Attempt: 1}
	for name, tc := range map[string]struct {
		c    Container
		p    State
		want Decision
		wake engine.Wake
	}{
		"the first check waits for its tick":     {fresh, State{Type: Readiness, Next: past(5)}, wait, at(5, engine.Progress)},
		"a check is due":                         {fresh, State{Type: Readiness, Next: noon}, BeginCheck, engine.Wake{}},
		"a command takes its time":               {fresh, State{Type: Readiness, Next: noon, Deadline: past(1)}, wait, at(1, engine.Progress)},
		"a command takes too long":               {fresh, State{Type: Readiness, Next: noon, Deadline: noon}, CheckTimedOut, engine.Wake{}},
		"a ready container moves no time":        {ready, State{Type: Readiness, Next: past(1)}, wait, at(1, engine.Routine)},
		"nor does a hopeless one, after a while": {fresh, State{Type: Readiness, Next: past(1), Checks: 4}, wait, at(1, engine.Routine)},
		"liveness moves no time":                 {fresh, State{Type: Liveness, Next: past(1)}, wait, at(1, engine.Routine)},
		"a first start does":                     {slow, State{Type: Startup, Next: past(1)}, wait, at(1, engine.Progress)},
		"a further start does not":               {again, State{Type: Startup, Next: past(1)}, wait, at(1, engine.Routine)},
		"the others wait for the startup probe":  {slow, State{Type: Liveness, Next: noon}, wait, engine.Wake{}},
		"what is over is not asked any more":     {fresh, State{Type: Startup, Next: noon, Over: true}, wait, engine.Wake{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, wake := Decide(probe, tc.c, &tc.p, noon)
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
	started := noon.Add(2700 * time.Millisecond)
	for name, tc := range map[string]struct {
		delay, period int32
		from          time.Time
		want          time.Duration // after noon
	}{
		"ticks count from the Pod's start":  {0, 10, noon, 10 * time.Second},
		"the delay ends between two ticks":  {5, 5, noon, 10 * time.Second},
		"the delay counts in whole seconds": {3, 5, noon, 5 * time.Second},
		"a readiness probe asks at once":    {0, 10, started, 2700 * time.Millisecond},
		"but keeps to the delay":            {8, 10, started, 12700 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			probe := &corev1.Probe{InitialDelaySeconds: tc.delay, PeriodSeconds: tc.period}
			if got := FirstCheck(probe, started, tc.from).Sub(noon); got != tc.want {
				t.Errorf("%v, want %v", got, tc.want)
			}
		})
	}
}

func TestJudge(t *testing.T) {
	probe := &corev1.Probe{PeriodSeconds: 10, FailureThreshold: 3, SuccessThreshold: 2}
	p := State{Next: noon}
	var got []bool
	for _, success := range []bool{true, false, true, true, false, false, false, false} {
		got = append(got, p.Judge(probe, success))
	}
	if diff := cmp.Diff([]bool{false, false, false, true, false, false, true, true}, got); diff != "" {
		t.Errorf("decided (-want +got):\n%s", diff)
	}
	if want := past(80); !p.Next.Equal(want) {
		t.Errorf("the next check is at %v, want %v", p.Next, want)
	}
}

// TestAReadinessProbeIsWorkOnlyForAWhile: three failures of a probe every 1000 s are 50
// minutes, for which no write should wait.
func TestAReadinessProbeIsWorkOnlyForAWhile(t *testing.T) {
	for name, tc := range map[string]struct {
		period, checks int32
		last           bool
		want           func(time.Time) engine.Wake
	}{
		"the first check":                    {1000, 0, false, engine.Progress},
		"the second, 1000 s later":           {1000, 1, false, engine.Routine},
		"the second success of those wanted": {1000, 1, true, engine.Progress},
		"the default's last":                 {10, 3, false, engine.Progress},
		"the default's one too many":         {10, 4, false, engine.Routine},
	} {
		probe := &corev1.Probe{PeriodSeconds: tc.period, FailureThreshold: 3, SuccessThreshold: 2}
		c := Container{Started: true}
		_, wake := Decide(probe, c, &State{Type: Readiness, Next: noon.Add(time.Second), Checks: tc.checks, Last: tc.last}, noon)
		if want := tc.want(noon.Add(time.Second)); wake != want {
			t.Errorf("%s: %v, want %v", name, wake, want)
		}
	}
}
