// Package controllers_test tells whole stories: several reconcilers on a real
// engine, over an API server in a map and a kubelet driven by hand.
package controllers_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/job"
	"github.com/kubesim-dev/kubesim/controllers/scheduler"
)

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// jobWorld runs the Job controller and the scheduler over one Node.
func jobWorld(t *testing.T, mode engine.Mode, script func(*corev1.Pod, int) end) *world {
	t.Helper()
	w := newWorld(t, mode, func(e *engine.Engine, f *fakeAPI) []engine.Reconciler {
		return []engine.Reconciler{
			must[*job.Reconciler](t)(job.New(jobConfig(e, f))),
			must[*scheduler.Reconciler](t)(scheduler.New(scheduler.Config{
				Host: engine.Host{View: e.View(), API: f, Recorder: recorder(e, f, "default-scheduler")}, Random: e.Random(), Features: schedulerFeatures(),
			})),
			newKubelet(e, f, script),
		}
	})
	w.create(engine.Nodes, node("node-1", "64", "110"))
	return w
}

// jobConfig has the feature gates and limits of the release.
func jobConfig(e *engine.Engine, f *fakeAPI) job.Config {
	return job.Config{
		Host:   engine.Host{View: e.View(), API: f, Recorder: recorder(e, f, "job-controller")},
		Gates:  job.Gates{MutableSchedulingDirectivesForSuspendedJobs: true},
		Limits: job.DefaultLimits(),
	}
}

func recorder(e *engine.Engine, f *fakeAPI, component string) *engine.EventRecorder {
	return e.NewEventRecorder(f, engine.ControllerIdentity(component), engine.Source{Component: component})
}

// newJob returns a Job whose Pods have one container.
func newJob(name string, edits ...func(*batchv1.JobSpec)) *batchv1.Job {
	j := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	j.Spec.Template.Spec = corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyNever,
		Containers:    []corev1.Container{{Name: "c", Image: "busybox"}},
	}
	for _, edit := range edits {
		edit(&j.Spec)
	}
	return j
}

func size(completions, parallelism int32) func(*batchv1.JobSpec) {
	return func(s *batchv1.JobSpec) { s.Completions, s.Parallelism = &completions, &parallelism }
}

func indexed(completions, parallelism int32) func(*batchv1.JobSpec) {
	return func(s *batchv1.JobSpec) {
		mode := batchv1.IndexedCompletion
		s.CompletionMode, s.Completions, s.Parallelism = &mode, &completions, &parallelism
	}
}

func backoffLimit(n int32) func(*batchv1.JobSpec) {
	return func(s *batchv1.JobSpec) { s.BackoffLimit = &n }
}

// summary is what a story says of its Job.
type summary struct {
	Conditions                                []string
	Active, Ready, Terminating, Succeed, Fail int32
	Completed                                 string
	// Created are the Pods' creations, in seconds after the start.
	Created []int
	Took    time.Duration
}

func summarise(t *testing.T, w *world, name string) summary {
	t.Helper()
	j, ok := get[*batchv1.Job](w.fakeAPI, engine.Jobs, "default", name)
	if !ok {
		t.Fatalf("no Job %s; log:\n%s", name, w.log)
	}
	s := summary{Active: j.Status.Active, Succeed: j.Status.Succeeded, Fail: j.Status.Failed, Completed: j.Status.CompletedIndexes}
	if j.Status.Ready != nil {
		s.Ready = *j.Status.Ready
	}
	if j.Status.Terminating != nil {
		s.Terminating = *j.Status.Terminating
	}
	for _, c := range j.Status.Conditions {
		s.Conditions = append(s.Conditions, fmt.Sprintf("%s=%s %s", c.Type, c.Status, c.Reason))
		s.Took = c.LastTransitionTime.Sub(start())
	}
	for _, pod := range list[*corev1.Pod](w.fakeAPI) {
		s.Created = append(s.Created, int(pod.CreationTimestamp.Sub(start()).Seconds()))
		for _, f := range pod.Finalizers {
			t.Errorf("Pod %s still has finalizer %s", pod.Name, f)
		}
	}
	slices.Sort(s.Created)
	if u := j.Status.UncountedTerminatedPods; u == nil || len(u.Succeeded)+len(u.Failed) > 0 {
		t.Errorf("uncounted Pods: %v", u)
	}
	return s
}

func TestJobStories(t *testing.T) {
	for name, tc := range map[string]struct {
		job    *batchv1.Job
		script func(*corev1.Pod, int) end
		want   summary
	}{
		"a Job of one Pod completes": {
			newJob("pi"), always(5*time.Second, 0),
			summary{Conditions: complete("CompletionsReached"), Succeed: 1, Created: []int{0}, Took: 6 * time.Second},
		},
		"a Job with parallelism 2 runs its completions in rounds": {
			newJob("pi", size(5, 2)), always(10*time.Second, 0),
			summary{Conditions: complete("CompletionsReached"), Succeed: 5, Created: []int{0, 0, 11, 11, 22}, Took: 33 * time.Second},
		},
		"a Job that fails waits 10, 20, 40 seconds between its Pods": {
			newJob("pi", backoffLimit(3)), always(30*time.Second, 3),
			summary{Conditions: failed("BackoffLimitExceeded"), Fail: 4, Created: []int{0, 40, 90, 160}, Took: 191 * time.Second},
		},
		"backoffLimit 0 fails a Job with its first Pod and stops the others": {
			newJob("pi", backoffLimit(0), size(3, 3)), func(_ *corev1.Pod, nth int) end { return end{time.Duration(nth+1) * 10 * time.Second, 1} },
			summary{Conditions: failed("BackoffLimitExceeded"), Fail: 3, Created: []int{0}, Took: 12 * time.Second},
		},
		"activeDeadlineSeconds end a Job that goes on": {
			newJob("pi", func(s *batchv1.JobSpec) { n := int64(60); s.ActiveDeadlineSeconds = &n }), always(time.Hour, 0),
			summary{Conditions: failed("DeadlineExceeded"), Fail: 1, Took: 61 * time.Second},
		},
		"an Indexed Job counts its indexes": {
			newJob("pi", indexed(4, 2)), byIndex(func(ix int) end { return end{time.Duration(ix+1) * time.Second, 0} }),
			summary{Conditions: complete("CompletionsReached"), Succeed: 4, Completed: "0-3", Created: []int{0, 0, 1, 2}, Took: 7 * time.Second},
		},
		"backoffLimitPerIndex lets the other indexes go on": {
			newJob("pi", indexed(4, 4), func(s *batchv1.JobSpec) {
				n, m := int32(1), int32(1000)
				s.BackoffLimitPerIndex, s.BackoffLimit = &n, &m
			}),
			byIndex(func(ix int) end { return end{time.Second, int32(ix % 2)} }),
			summary{Conditions: failed("FailedIndexes"), Succeed: 2, Fail: 4, Completed: "0,2", Created: []int{0, 0, 0, 0, 11, 11}, Took: 13 * time.Second},
		},
		"a success policy ends an Indexed Job early": {
			newJob("pi", indexed(3, 3), func(s *batchv1.JobSpec) {
				indexes := "0"
				s.SuccessPolicy = &batchv1.SuccessPolicy{Rules: []batchv1.SuccessPolicyRule{{SucceededIndexes: &indexes}}}
			}),
			byIndex(func(ix int) end { return end{time.Duration(ix*100+1) * time.Second, 0} }),
			summary{Conditions: complete("SuccessPolicy"), Succeed: 1, Completed: "0", Created: []int{0}, Took: 2 * time.Second},
		},
		"a Job without completions ends when its Pods have after the first success": {
			newJob("pi", func(s *batchv1.JobSpec) { n := int32(2); s.Parallelism = &n }), func(_ *corev1.Pod, nth int) end { return end{time.Duration(nth+1) * time.Minute, 0} },
			summary{Conditions: complete("CompletionsReached"), Succeed: 2, Created: []int{0, 0}, Took: 2*time.Minute + time.Second},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := jobWorld(t, engine.Auto, tc.script)
			w.create(engine.Jobs, tc.job)
			if diff := cmp.Diff(tc.want, summarise(t, w, "pi")); diff != "" {
				t.Errorf("Job (-want +got):\n%s\nlog:\n%s", diff, w.log)
			}
		})
	}
}

func complete(reason string) []string {
	return []string{"SuccessCriteriaMet=True " + reason, "Complete=True " + reason}
}

func failed(reason string) []string {
	return []string{"FailureTarget=True " + reason, "Failed=True " + reason}
}

func TestSuspendStopsThePodsAndResumeStartsAnew(t *testing.T) {
	w := jobWorld(t, engine.Manual, always(time.Minute, 0))
	w.create(engine.Jobs, newJob("pi", size(2, 2)))
	w.advance(10 * time.Second)
	setSuspend := func(on bool) {
		w.do(func(ctx context.Context) error {
			j, _ := get[*batchv1.Job](w.fakeAPI, engine.Jobs, "default", "pi")
			j = j.DeepCopy()
			j.Spec.Suspend = &on
			_, err := w.Update(ctx, client, engine.Jobs, "", j)
			return err
		})
	}
	setSuspend(true)
	w.advance(time.Second)
	got, _ := get[*batchv1.Job](w.fakeAPI, engine.Jobs, "default", "pi")
	if got.Status.StartTime != nil {
		t.Errorf("startTime %v while suspended", got.Status.StartTime)
	}
	want := summary{Conditions: []string{"Suspended=True JobSuspended"}, Took: 10 * time.Second}
	if diff := cmp.Diff(want, summarise(t, w, "pi")); diff != "" {
		t.Errorf("suspended (-want +got):\n%s", diff)
	}
	w.advance(9 * time.Second)
	setSuspend(false)
	w.advance(2 * time.Minute)
	want = summary{
		Conditions: append([]string{"Suspended=False JobResumed"}, complete("CompletionsReached")...),
		Succeed:    2, Created: []int{20, 20}, Took: 81 * time.Second,
	}
	if diff := cmp.Diff(want, summarise(t, w, "pi")); diff != "" {
		t.Errorf("resumed (-want +got):\n%s", diff)
	}
	wantEvents := []string{
		"SuccessfulCreate", "SuccessfulCreate", "SuccessfulDelete", "SuccessfulDelete", "Suspended",
		"SuccessfulCreate", "SuccessfulCreate", "Resumed", "Completed",
	}
	if diff := cmp.Diff(wantEvents, eventsOf(w, "job-controller")); diff != "" {
		t.Errorf("Events (-want +got):\n%s", diff)
	}
}

// eventsOf returns the reasons of a component's Events, in order of creation.
func eventsOf(w *world, component string) []string {
	byRevision := map[int]string{}
	highest := 0
	for _, e := range list[*corev1.Event](w.fakeAPI) {
		if e.Source.Component != component {
			continue
		}
		rv, err := strconv.Atoi(e.ResourceVersion)
		if err != nil {
			w.t.Fatal(err)
		}
		byRevision[rv] = e.Reason
		highest = max(highest, rv)
	}
	var out []string
	for rv := range highest + 1 {
		if reason, ok := byRevision[rv]; ok {
			out = append(out, reason)
		}
	}
	return out
}

func TestAQuotaThatIsUsedUpDoesNotMakeTimeRunAway(t *testing.T) {
	w := jobWorld(t, engine.Auto, always(time.Second, 0))
	w.failCreate = func(r engine.Resource, _ engine.Object) error {
		if r == engine.Pods {
			return errors.New("exceeded quota")
		}
		return nil
	}
	w.create(engine.Jobs, newJob("pi", size(10, 10)))
	want := summary{}
	if diff := cmp.Diff(want, summarise(t, w, "pi")); diff != "" {
		t.Errorf("Job (-want +got):\n%s", diff)
	}
	if passed := w.engine.Now().Sub(start()); passed > 2*time.Minute {
		t.Errorf("time ran on to %s", passed)
	}
}

func TestAJobOfAnotherControllerDoesNotHoldThePodsOfItsPredecessor(t *testing.T) {
	w := jobWorld(t, engine.Manual, always(time.Hour, 0))
	w.create(engine.Jobs, newJob("pi"))
	w.advance(time.Minute)
	// One write from outside: the controller never sees that there was no Job.
	w.do(func(ctx context.Context) error {
		if err := w.Delete(ctx, client, engine.Jobs, types.NamespacedName{Namespace: "default", Name: "pi"}, metav1.DeleteOptions{}); err != nil {
			return err
		}
		other := "example.com/other"
		_, err := w.Create(ctx, client, engine.Jobs, newJob("pi", func(s *batchv1.JobSpec) { s.ManagedBy = &other }))
		return err
	})
	pods := list[*corev1.Pod](w.fakeAPI)
	if len(pods) != 1 || len(pods[0].Finalizers) > 0 {
		t.Errorf("Pods %v: want one, without finalizers\n%s", pods, w.log)
	}
}

func TestDeletingAPodCountsItAsFailedAndReplacesItAfterTheBackoff(t *testing.T) {
	w := jobWorld(t, engine.Auto, func(_ *corev1.Pod, nth int) end { return end{time.Duration(1+nth) * time.Hour, 0} })
	if err := w.engine.SetMode(t.Context(), engine.Manual, 0); err != nil {
		t.Fatal(err)
	}
	w.create(engine.Jobs, newJob("pi"))
	w.advance(time.Minute)
	w.remove(engine.Pods, "default", list[*corev1.Pod](w.fakeAPI)[0].Name, metav1.DeleteOptions{})
	w.advance(3 * time.Hour)
	want := summary{Conditions: complete("CompletionsReached"), Succeed: 1, Fail: 1, Created: []int{70}, Took: 2*time.Hour + 71*time.Second}
	if diff := cmp.Diff(want, summarise(t, w, "pi")); diff != "" {
		t.Errorf("Job (-want +got):\n%s\n%s", diff, w.log)
	}
}

func TestTwoRunsWriteTheSameLog(t *testing.T) {
	run := func() string {
		w := jobWorld(t, engine.Auto, func(_ *corev1.Pod, nth int) end {
			return end{time.Duration(1+nth%7) * time.Second, int32(nth % 3 / 2)}
		})
		for i := range 20 {
			w.create(engine.Jobs, newJob(fmt.Sprintf("job-%d", i), size(int32(i), 3)))
		}
		return w.log.String()
	}
	first, second := run(), run()
	if diff := cmp.Diff(strings.Split(first, "\n"), strings.Split(second, "\n")); diff != "" {
		t.Errorf("log (-first +second):\n%s", diff)
	}
}

func TestAPodCostsFewWrites(t *testing.T) {
	w := jobWorld(t, engine.Auto, always(5*time.Second, 0))
	w.create(engine.Jobs, newJob("pi", size(20, 20)))
	want := map[string]int{"create pods": 20, "bind pods": 20, "update pods": 20, "update jobs.batch/status": 4}
	got := map[string]int{}
	for verb := range want {
		got[verb] = w.writes[verb]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("writes (-want +got):\n%s\n%s", diff, w.log)
	}
}
