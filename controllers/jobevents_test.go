package controllers_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// The Events of a Job that only a fault of the API server, or an object that it
// would refuse, brings about.

func TestAPodThatCannotBeDeletedIsToldAndTriedAgain(t *testing.T) {
	w := jobWorld(t, engine.Manual, always(time.Hour, 0))
	w.create(engine.Jobs, newJob("pi", func(s *batchv1.JobSpec) { s.ActiveDeadlineSeconds = new(int64(5)) }))
	refused := 0
	w.failDelete = func(r engine.Resource, _ string) error {
		if refused++; r != engine.Pods || refused > 2 {
			return nil
		}
		return errors.New("no")
	}
	w.advance(time.Minute)
	want := []string{"SuccessfulCreate", "FailedDelete", "SuccessfulDelete", "DeadlineExceeded"}
	if diff := cmp.Diff(want, eventsOf(w, "job-controller")); diff != "" {
		t.Errorf("Events (-want +got):\n%s", diff)
	}
	for _, e := range list[*corev1.Event](w.fakeAPI) {
		if e.Reason == "FailedDelete" && (e.Type != corev1.EventTypeWarning || e.Message != "Error deleting: no" || e.Count != 2) {
			t.Errorf("%d times %s %s", e.Count, e.Type, e.Message)
		}
		// After one second, then two, as upstream.
		at := map[string]time.Duration{"FailedDelete": 6 * time.Second, "SuccessfulDelete": 8 * time.Second}[e.Reason]
		if last := e.LastTimestamp.Sub(start()); at > 0 && last != at {
			t.Errorf("the last %s is at %s, want %s\n%s", e.Reason, last, at, w.log)
		}
	}
}

// Upstream's recorder is given the Job as its first write of the status left it.
func TestTheEventOfAJobsEndRefersToItAsItWasLastRead(t *testing.T) {
	w := jobWorld(t, engine.Manual, always(time.Second, 0))
	w.create(engine.Jobs, newJob("pi"))
	w.advance(time.Minute)
	job, _ := get[*batchv1.Job](w.fakeAPI, engine.Jobs, "default", "pi")
	end, err := strconv.Atoi(job.ResourceVersion)
	if err != nil {
		t.Fatal(err)
	}
	// In between the Pod has lost its finalizer.
	want := strconv.Itoa(end - 2)
	for _, e := range list[*corev1.Event](w.fakeAPI) {
		if e.Reason == "Completed" && e.InvolvedObject.ResourceVersion != want {
			t.Errorf("it refers to revision %s, want %s\n%s", e.InvolvedObject.ResourceVersion, want, w.log)
		}
	}
}

func TestAJobOfAnUnknownCompletionModeIsLeftAlone(t *testing.T) {
	w := jobWorld(t, engine.Manual, always(time.Hour, 0))
	w.create(engine.Jobs, newJob("pi", func(s *batchv1.JobSpec) { s.CompletionMode = new(batchv1.CompletionMode("Upwards")) }))
	w.advance(time.Minute)
	if diff := cmp.Diff([]string{"UnknownCompletionMode"}, eventsOf(w, "job-controller")); diff != "" {
		t.Errorf("Events (-want +got):\n%s", diff)
	}
	if pods := list[*corev1.Pod](w.fakeAPI); len(pods) > 0 {
		t.Errorf("%d Pods", len(pods))
	}
}
