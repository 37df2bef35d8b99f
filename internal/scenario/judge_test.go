package scenario

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// testWorld has a Job of which failed Pods have failed.
func testWorld(failed int32) *World {
	w := NewWorld()
	w.Know([]Resource{
		{Group: "batch", Version: "v1", Kind: "Job", Plural: "jobs", Namespaced: true},
		{Version: "v1", Kind: "Pod", Plural: "pods", Names: []string{"po"}, Namespaced: true},
	})
	w.Put("jobs.batch", testJob(failed), false)
	return w
}

func testJob(failed int32) *batchv1.Job {
	return &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "pi", Namespace: "default"}, Status: batchv1.JobStatus{Failed: failed}}
}

// one returns a tracker of the only expectation of a file.
func one(t *testing.T, text string) *tracker {
	t.Helper()
	s, err := Parse("f.yaml", []byte(head+"  expect:\n  - "+text+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	return &tracker{expectation: &s.expect[0], state: Pending}
}

// TestWhenAnExpectationIsDecided: at which minute, with a Job that fails once a minute
// and a run that ends after five.
func TestWhenAnExpectationIsDecided(t *testing.T) {
	for name, tc := range map[string]struct {
		text   string
		state  State
		minute int
	}{
		"at the end":                             {"{object: job/pi, cel: object.status.failed == 5}", Held, 5},
		"not at the end":                         {"{object: job/pi, cel: object.status.failed == 4}", Failed, 5},
		"as soon as it holds":                    {"{object: job/pi, cel: object.status.failed == 2, within: 3m}", Held, 2},
		"at the last instant":                    {"{object: job/pi, cel: object.status.failed == 3, within: 3m}", Held, 3},
		"too late":                               {"{object: job/pi, cel: object.status.failed == 4, within: 3m}", Failed, 3},
		"at its instant":                         {"{object: job/pi, cel: object.status.failed == 3, at: 3m}", Held, 3},
		"not at its instant":                     {"{object: job/pi, cel: object.status.failed == 2, at: 3m}", Failed, 3},
		"never":                                  {"{object: job/pi, cel: object.status.failed == 9, never: true}", Held, 5},
		"never, but it was once":                 {"{object: job/pi, cel: object.status.failed == 2, never: true}", Failed, 2},
		"never within its time":                  {"{object: job/pi, cel: object.status.failed == 4, never: true, within: 3m}", Held, 3},
		"what cannot be told does not hold":      {"{object: job/pi, cel: object.status.missing == 4}", Failed, 5},
		"what cannot be told is not never":       {"{object: job/pi, cel: object.status.missing == 4, never: true}", Held, 5},
		"elapsed is time":                        {"{object: job/pi, cel: elapsed == duration('4m'), within: 5m}", Held, 4},
		"an object that is not there":            {"{object: job/no, cel: object == null}", Held, 5},
		"a JSONPath's number":                    {`{object: job/pi, jsonPath: "{.status.failed}", value: 4, within: 5m}`, Held, 4},
		"a JSONPath's number as a string":        {`{object: job/pi, jsonPath: "{.status.failed}", value: "4", within: 5m}`, Held, 4},
		"a JSONPath of a list":                   {`{objects: jobs, jsonPath: "{.items[*].metadata.name}", value: pi, within: 5m}`, Held, 0},
		"a part of an object":                    {"{object: job/pi, match: {status: {failed: 3}, metadata: {name: pi}}, within: 5m}", Held, 3},
		"an object that must not exist":          {"{object: job/pi, exists: false}", Failed, 5},
		"a number of objects":                    {"{objects: pods, exactly: 0}", Held, 5},
		"a number of objects that there are not": {"{objects: jobs, count: 2}", Failed, 5},
	} {
		t.Run(name, func(t *testing.T) {
			x := one(t, tc.text)
			start := defaultStart()
			x.begin(start)
			w := testWorld(0)
			for minute := range 6 {
				w.Put("jobs.batch", testJob(int32(minute)), false)
				m := moment{start: start, now: start.Add(time.Duration(minute) * time.Minute)}
				x.look(w, m)
				if minute == 5 {
					x.end(w, m)
				}
			}
			if got := int(x.decided.Sub(start).Minutes()); x.state != tc.state || got != tc.minute {
				t.Errorf("%s at minute %d, want %s at minute %d: %+v", x.state, got, tc.state, tc.minute, x.detail)
			}
		})
	}
}

func TestWhatIsToldOfAFailure(t *testing.T) {
	for name, tc := range map[string]struct{ text, expected, actual string }{
		"CEL: the values of its parts": {"{object: job/pi, cel: 'object.status.failed > 4 || object.metadata.name == \"e\"'}",
			`object.status.failed > 4 || object.metadata.name == "e"`, "object.status.failed = 3\nobject.metadata.name = \"pi\""},
		"CEL: why it cannot be told":     {"{object: job/pi, cel: object.status.active == 4}", "object.status.active == 4", "no such key: active"},
		"CEL: there is no such object":   {"{object: job/no, cel: object.status.failed == 4}", "object.status.failed == 4", "there is no job/no"},
		"JSONPath":                       {`{object: job/pi, jsonPath: "{.status.failed}", value: 4}`, "{.status.failed} of job/pi is 4", "3"},
		"JSONPath: nothing is there":     {`{object: job/pi, jsonPath: "{.status.active}", value: 4}`, "{.status.active} of job/pi is 4", "it is not set"},
		"a part":                         {"{object: job/pi, match: {status: {failed: 4, active: 1}}}", `job/pi with {"status":{"active":1,"failed":4}}`, "status.active is not set, want 1\nstatus.failed is 3, want 4"},
		"a number":                       {"{objects: jobs, count: 2}", "jobs: at least 2", "1: pi"},
		"an Event":                       {"{event: Completed, regarding: job/pi}", "Events Completed regarding job/pi: at least 1", "0"},
		"a log":                          {"{log: pod/web, contains: ready}", "lines in the log of pod/web, containing \"ready\": at least 1", "0 of 1 lines; the last are\nweb | starting"},
		"what should never have been so": {"{object: job/pi, cel: object.status.failed == 3, never: true}", "never: object.status.failed == 3", "object.status.failed = 3\nit is true"},
	} {
		t.Run(name, func(t *testing.T) {
			x := one(t, tc.text)
			w := testWorld(3)
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "default"}}
			x.begin(defaultStart())
			w.Print(defaultStart(), pod, "main", []byte("starting\nunfin"))
			m := moment{start: defaultStart(), now: defaultStart().Add(time.Minute)}
			x.end(w, m)
			if diff := cmp.Diff([]string{tc.expected, tc.actual}, []string{x.detail.Expected, x.detail.Actual}); x.state != Failed || diff != "" {
				t.Errorf("%s; expected and actual (-want +got):\n%s", x.state, diff)
			}
		})
	}
}

// TestEventsAndLogsCountAlsoWhenTheyAreGone: that something happened stays true.
func TestEventsAndLogsCountAlsoWhenTheyAreGone(t *testing.T) {
	w := testWorld(0)
	event := &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: "pi.1", Namespace: "default", UID: "1"}, Reason: "Completed", Type: "Normal", Message: "Job completed", Count: 2,
		InvolvedObject: corev1.ObjectReference{Kind: "Job", Namespace: "default", Name: "pi"}, LastTimestamp: metav1.NewTime(defaultStart().Add(time.Minute)),
	}
	w.Put("events", event, false)
	w.Put("events", event, true)
	for text, want := range map[string]State{
		"{event: Completed, count: 2}":                        Held,
		"{event: Completed, exactly: 1}":                      Failed,
		"{event: Completed, regarding: job/pi, type: Normal}": Held,
		"{event: Completed, regarding: pod/pi}":               Failed,
		"{event: Completed, type: Warning}":                   Failed,
		"{event: Completed, contains: completed}":             Held,
		"{event: Completed, matches: '^completed'}":           Failed,
		"{event: Completed, regarding: job/pi -n other}":      Failed,
		"{event: Completed, regarding: job -l a=b}":           Failed,
		"{event: Completed, never: true}":                     Failed,
		"{event: Failed, never: true}":                        Held,
	} {
		x := one(t, text)
		x.begin(defaultStart())
		x.end(w, moment{start: defaultStart(), now: defaultStart()})
		if x.state != want {
			t.Errorf("%s: %s, want %s", text, x.state, want)
		}
	}
}

// TestAConditionIsLookedAtWhenWhatItReadsHasChanged: a run has many more instants than
// changes that concern it.
func TestAConditionIsLookedAtWhenWhatItReadsHasChanged(t *testing.T) {
	const (
		aJob    = "a Job"
		aPod    = "a Pod"
		anEvent = "an Event"
		aLine   = "a line"
	)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "default"}}
	changes := map[string]func(w *World){
		aJob:    func(w *World) { w.Put("jobs.batch", testJob(1), false) },
		aPod:    func(w *World) { w.Put("pods", pod, true) },
		anEvent: func(w *World) { w.Put("events", &corev1.Event{Reason: "Completed"}, false) },
		aLine:   func(w *World) { w.Print(defaultStart(), pod, "main", []byte("x\n")) },
	}
	for text, reads := range map[string][]string{
		"{object: job/pi, cel: object.status.failed == 5}":                  {aJob},
		"{object: job/pi, cel: elapsed > duration('4m')}":                   {aJob, aPod, anEvent, aLine},
		`{objects: pods, jsonPath: "{.items[*].metadata.name}", value: pi}`: {aPod},
		"{object: job/pi, match: {status: {failed: 3}}}":                    {aJob},
		"{objects: pods, exactly: 0}":                                       {aPod},
		"{event: Completed}":                                                {anEvent},
		"{event: Completed, regarding: pods -l a=b}":                        {aPod, anEvent},
		"{log: pod/web, contains: ready}":                                   {aLine},
	} {
		for name, change := range changes {
			w := testWorld(0)
			c := one(t, text).condition
			before := c.version(w)
			change(w)
			if changed := c.version(w) != before; changed != slices.Contains(reads, name) {
				t.Errorf("%s: after %s has changed: looked at again: %t", text, name, changed)
			}
		}
	}
}
