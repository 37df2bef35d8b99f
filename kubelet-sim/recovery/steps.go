package recovery

import (
	"cmp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
	"github.com/kubesim-dev/kubesim/kubelet-sim/prober"
)

// Verb is what the kubelet did to a container.
type Verb string

// The verbs.
const (
	// Start the step's Instance.
	Start Verb = "start"
	// Check begins the check of probe Probe, which was under way.
	Check Verb = "check"
	// PreStop starts the preStop hook.
	PreStop Verb = "preStop"
	// Terminate asks the program to end.
	Terminate Verb = "terminate"
)

// Step is something that the kubelet did to a container, and has to do once more.
type Step struct {
	At        time.Time
	Container int
	Verb      Verb
	Instance  *podstate.Instance
	Probe     int
}

// Replays reports whether anything of a Pod has to run once more: it has a sandbox, or is
// about to get one.
func Replays(s *podstate.State) bool {
	return s.Sandbox == podstate.SandboxStarting || s.Sandbox == podstate.SandboxReady
}

// Steps are the starts of a Pod's instances, and what the kubelet has told those that run
// still, in the order in which they happened.
func Steps(pod *corev1.Pod, s *podstate.State) []Step {
	var all []Step
	for i := range s.Containers {
		c := &s.Containers[i]
		for _, in := range []*podstate.Instance{c.Last, c.Current} {
			if in != nil && in.Reason != podstate.ReasonStartError && !in.Removed {
				all = append(all, Step{At: in.StartedAt, Container: i, Verb: Start, Instance: in})
			}
		}
		if c.Activity == podstate.Running {
			all = append(all, told(c, s.Spec(pod, i), i)...)
		}
	}
	slices.SortStableFunc(all, func(a, b Step) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Container, b.Container))
	})
	return all
}

// told is what the kubelet has told the running instance of container i, and has not ended
// yet: the checks under way, the preStop hook, SIGTERM.
func told(c *podstate.Container, spec *corev1.Container, i int) []Step {
	var all []Step
	for j := range c.Probes {
		p := &c.Probes[j]
		if probe := prober.Of(spec, p.Type); probe != nil && !p.Deadline.IsZero() {
			all = append(all, Step{At: p.Deadline.Add(-prober.TimeoutOf(probe)), Container: i, Verb: Check, Probe: j})
		}
	}
	if k := c.Kill; k != nil {
		if spec.Lifecycle != nil && spec.Lifecycle.PreStop != nil && k.Grace > 0 {
			all = append(all, Step{At: k.Begun, Container: i, Verb: PreStop})
		}
		if !k.Term.IsZero() {
			all = append(all, Step{At: k.Term, Container: i, Verb: Terminate})
		}
	}
	return all
}
