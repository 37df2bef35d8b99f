package controllers_test

import (
	"errors"
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
