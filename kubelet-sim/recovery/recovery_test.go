package recovery

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/depend"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
	"github.com/kubesim-dev/kubesim/kubelet-sim/prober"
)

var noon = time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC)

func after(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

// newPod has an init container and two others, of which the first has a preStop hook and a
// liveness probe.
func newPod() *corev1.Pod {
	sleep := &corev1.ExecAction{Command: []string{"sleep", "1"}}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "work", Name: "web", UID: "one"},
		Spec: corev1.PodSpec{
			InitContainers: []corev1.Container{{Name: "init", Image: "busybox"}},
			Containers: []corev1.Container{
				{
					Name: "main", Image: "busybox:1.36",
					Lifecycle:     &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Exec: sleep}},
					LivenessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: sleep}, TimeoutSeconds: 2},
				},
				{Name: "second", Image: "busybox"},
			},
		},
	}
}

// ended and running are instances.
func ended(start, end int) *podstate.Instance {
	return &podstate.Instance{StartedAt: after(start), FinishedAt: after(end), Exited: true}
}
func running(start int) *podstate.Instance { return &podstate.Instance{StartedAt: after(start)} }

func TestSteps(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(s *podstate.State)
		want   []Step
	}{
		"a Pod that has done nothing": {func(*podstate.State) {}, nil},
		"instances start in the order in which they did, and of one instant in the containers' order": {
			func(s *podstate.State) {
				s.Containers[0].Current = ended(1, 2)
				s.Containers[1].Last, s.Containers[1].Current = ended(3, 4), running(9)
				s.Containers[2].Current = running(3)
			},
			[]Step{{At: after(1), Verb: Start}, {At: after(3), Container: 1, Verb: Start}, {At: after(3), Container: 2, Verb: Start}, {At: after(9), Container: 1, Verb: Start}},
		},
		"what never ran, or was removed, does not start": {
			func(s *podstate.State) {
				s.Containers[0].Current = &podstate.Instance{Reason: podstate.ReasonStartError}
				s.Containers[1].Current = podstate.RemovedInstance(3)
			}, nil,
		},
		"a check under way begins its timeout before its deadline": {
			func(s *podstate.State) {
				s.Containers[1].Current, s.Containers[1].Activity = running(1), podstate.Running
				s.Containers[1].Probes = []prober.State{{Type: prober.Liveness, Deadline: after(12)}}
			},
			[]Step{{At: after(1), Container: 1, Verb: Start}, {At: after(10), Container: 1, Verb: Check}},
		},
		"a container that is being stopped is told so again": {
			func(s *podstate.State) {
				s.Containers[1].Current, s.Containers[1].Activity = running(1), podstate.Running
				s.Containers[1].Kill = &podstate.Killing{Begun: after(5), Grace: 30, Term: after(6)}
			},
			[]Step{{At: after(1), Container: 1, Verb: Start}, {At: after(5), Container: 1, Verb: PreStop}, {At: after(6), Container: 1, Verb: Terminate}},
		},
		"nobody tells an instance that has ended": {
			func(s *podstate.State) {
				s.Containers[1].Current = ended(1, 7)
				s.Containers[1].Kill = &podstate.Killing{Begun: after(5), Grace: 30, Term: after(6)}
			},
			[]Step{{At: after(1), Container: 1, Verb: Start}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			pod := newPod()
			s := podstate.New(pod, noon)
			tc.change(&s)
			if diff := cmp.Diff(tc.want, Steps(pod, &s), cmpopts.IgnoreFields(Step{}, "Instance")); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
		})
	}
}

func TestANoteIsOfOnePod(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(pod *corev1.Pod)
		want   bool
	}{
		"the same Pod":                             {func(*corev1.Pod) {}, true},
		"another Pod of its name":                  {func(pod *corev1.Pod) { pod.UID = "two" }, false},
		"it was given an ephemeral container":      {func(pod *corev1.Pod) { pod.Spec.EphemeralContainers = make([]corev1.EphemeralContainer, 1) }, true},
		"the note has more containers than it":     {func(pod *corev1.Pod) { pod.Spec.InitContainers = nil }, false},
		"it has a container that the note has not": {func(pod *corev1.Pod) { pod.Spec.InitContainers = make([]corev1.Container, 2) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			pod := newPod()
			n := PodNote{UID: podstate.UID(pod), State: podstate.New(pod, noon)}
			tc.change(pod)
			if got := n.Of(pod); got != tc.want {
				t.Errorf("got %t, want %t", got, tc.want)
			}
		})
	}
}

// TestANoteIsReadAsItWasWritten: also what a Pod waits for.
func TestANoteIsReadAsItWasWritten(t *testing.T) {
	waits := []depend.Object{{Resource: engine.ConfigMaps, Name: types.NamespacedName{Namespace: "work", Name: "settings"}}}
	n := PodNote{UID: "one", State: podstate.New(newPod(), noon), Dirty: true}
	n.WaitFor(waits)
	data, err := json.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ReadPod(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(n, again, cmpopts.EquateEmpty(), cmp.AllowUnexported(waitNote{})); diff != "" {
		t.Errorf("note (-written +read):\n%s", diff)
	}
	if diff := cmp.Diff(waits, again.WaitsFor()); diff != "" {
		t.Errorf("what it waits for (-want +got):\n%s", diff)
	}
}

// programs run by container; a check by container and probe.
type programs struct {
	runs   map[int]bool
	checks map[[2]int]bool
}

func (p programs) Runs(i int) bool      { return p.runs[i] }
func (p programs) Checks(i, j int) bool { return p.checks[[2]int{i, j}] }

func TestSettle(t *testing.T) {
	pod := newPod()
	s, replayed := podstate.New(pod, noon), podstate.New(pod, noon)
	for i := range s.Containers {
		s.Containers[i].Activity = podstate.Running
		s.Containers[i].Probes = []prober.State{{Type: prober.Liveness, Deadline: after(12)}, {Type: prober.Readiness, Deadline: after(13)}}
	}
	s.Containers[1].Message = "of the note"
	replayed.Containers[1].WakeAt = after(30)
	replayed.Containers[2].Message = "lost"
	s.Containers[0].Activity, s.Containers[0].Message = podstate.Idle, "waits"

	if !Settle(&s, replayed.Containers, programs{map[int]bool{1: true}, map[[2]int]bool{{1, 0}: true}}) {
		t.Error("container 2 runs no more, and is not lost")
	}
	type got struct {
		Message  string
		WakeAt   time.Time
		Activity podstate.Activity
		Checks   []bool
	}
	var all []got
	for i := range s.Containers {
		c := &s.Containers[i]
		g := got{c.Message, c.WakeAt, c.Activity, nil}
		for j := range c.Probes {
			g.Checks = append(g.Checks, !c.Probes[j].Deadline.IsZero())
		}
		all = append(all, g)
	}
	want := []got{
		{"waits", time.Time{}, podstate.Idle, []bool{false, false}},
		{"of the note", after(30), podstate.Running, []bool{true, false}},
		{"lost", time.Time{}, podstate.Idle, nil},
	}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("containers (-want +got):\n%s", diff)
	}
}

func TestReboot(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(pod *corev1.Pod, s *podstate.State)
		again  bool
	}{
		"what is restarted always gets a new sandbox": {func(*corev1.Pod, *podstate.State) {}, true},
		"what is never restarted does not, once it has run": {
			func(pod *corev1.Pod, _ *podstate.State) { pod.Spec.RestartPolicy = corev1.RestartPolicyNever }, false,
		},
		"what is restarted on failure does not after success": {
			func(pod *corev1.Pod, _ *podstate.State) { pod.Spec.RestartPolicy = corev1.RestartPolicyOnFailure }, false,
		},
		"a Pod that is being deleted does not": {
			func(pod *corev1.Pod, _ *podstate.State) { pod.DeletionTimestamp = &metav1.Time{Time: noon} }, false,
		},
		"a Pod that is being stopped does not": {
			func(_ *corev1.Pod, s *podstate.State) { s.Stop = &podstate.Stop{} }, false,
		},
		"a Pod that has failed does not": {
			func(pod *corev1.Pod, _ *podstate.State) { pod.Status.Phase = corev1.PodFailed }, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			pod := newPod()
			pod.Spec.RestartPolicy = corev1.RestartPolicyAlways
			s := podstate.New(pod, noon)
			s.Sandbox, s.IP = podstate.SandboxReady, "10.244.0.5"
			for i := range s.Containers {
				s.Containers[i].Current = ended(1, 2)
				s.Containers[i].Reason, s.Containers[i].BackOff.Delay = "CrashLoopBackOff", time.Minute
			}
			tc.change(pod, &s)
			if got := Reboot(pod, &s); got != tc.again {
				t.Fatalf("a new sandbox: %t, want %t", got, tc.again)
			}
			if again := s.Sandbox == podstate.NoSandbox && s.IP == "" && s.Containers[0].Again; again != tc.again {
				t.Errorf("sandbox %d, address %q, the init container runs again: %t", s.Sandbox, s.IP, s.Containers[0].Again)
			}
			if c := s.Containers[1]; c.Reason != "" || c.BackOff.Delay != 0 || c.Again {
				t.Errorf("the kubelet remembers %q, %s, again %t", c.Reason, c.BackOff.Delay, c.Again)
			}
		})
	}
}
