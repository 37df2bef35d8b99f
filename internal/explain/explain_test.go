package explain

import (
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// past collects commits, as the store would give them.
type past struct {
	commits []Commit
	now     time.Duration
}

func at(now time.Duration) *past { return &past{now: now} }

// then writes objects d later than before.
func (p *past) then(d time.Duration, actor string, objects ...Object) *past {
	p.now += d
	for _, o := range objects {
		how := watch.Added
		if slices.ContainsFunc(p.commits, func(c Commit) bool { return c.Object.GetUID() == o.GetUID() }) {
			how = watch.Modified
		}
		p.commits = append(p.commits, Commit{
			Revision: int64(len(p.commits) + 1), Time: noon.Add(p.now), Actor: actor, Type: how, Object: o.DeepCopyObject().(Object),
		})
	}
	return p
}

// deleted lets objects be gone.
func (p *past) deleted(actor string, objects ...Object) *past {
	p.then(0, actor, objects...)
	for i := range objects {
		p.commits[len(p.commits)-1-i].Type = watch.Deleted
	}
	return p
}

func ptrTo[T any](v T) *T { return &v }

func jobNamed(name string, change ...func(*batchv1.Job)) *batchv1.Job {
	j := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default", UID: types.UID(name + "-uid")},
		Spec:       batchv1.JobSpec{Completions: ptrTo[int32](1), Parallelism: ptrTo[int32](1), BackoffLimit: ptrTo[int32](1)},
	}
	for _, f := range change {
		f(j)
	}
	return j
}

// podOf is a Pod of a Job; without one, of nobody.
func podOf(job *batchv1.Job, name string, change ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default", UID: types.UID(name + "-uid")},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c"}}},
		Status:     corev1.PodStatus{Phase: corev1.PodPending},
	}
	if job != nil {
		p.OwnerReferences = []metav1.OwnerReference{{Kind: "Job", Name: job.Name, UID: job.UID, Controller: ptrTo(true)}}
		p.Finalizers = []string{batchv1.JobTrackingFinalizer}
	}
	for _, f := range change {
		f(p)
	}
	return p
}

func exited(code int32, after time.Duration) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Phase = map[bool]corev1.PodPhase{true: corev1.PodSucceeded, false: corev1.PodFailed}[code == 0]
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "c", ContainerID: "c1", State: corev1.ContainerState{
			Terminated: &corev1.ContainerStateTerminated{ContainerID: "c1", ExitCode: code, Reason: "Error", FinishedAt: metav1.NewTime(noon.Add(after))},
		}}}
	}
}

func uncountedFailed(pods ...string) func(*batchv1.Job) {
	return func(j *batchv1.Job) {
		j.Status.UncountedTerminatedPods = &batchv1.UncountedTerminatedPods{}
		for _, name := range pods {
			j.Status.UncountedTerminatedPods.Failed = append(j.Status.UncountedTerminatedPods.Failed, types.UID(name+"-uid"))
		}
	}
}

func holds(kind batchv1.JobConditionType, reason, message string) func(*batchv1.Job) {
	return func(j *batchv1.Job) {
		j.Status.Conditions = append(j.Status.Conditions, batchv1.JobCondition{Type: kind, Status: corev1.ConditionTrue, Reason: reason, Message: message})
	}
}

func rules(actions ...batchv1.PodFailurePolicyAction) func(*batchv1.Job) {
	return func(j *batchv1.Job) {
		j.Spec.PodFailurePolicy = &batchv1.PodFailurePolicy{}
		for i, a := range actions {
			j.Spec.PodFailurePolicy.Rules = append(j.Spec.PodFailurePolicy.Rules, batchv1.PodFailurePolicyRule{
				Action: a, OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{Operator: "In", Values: []int32{int32(i + 1)}},
			})
		}
	}
}

func waits(reason, message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		s := corev1.ContainerStatus{Name: "c", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}}
		s.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ContainerID: "c1", ExitCode: 2, FinishedAt: metav1.NewTime(noon.Add(5 * time.Second))}
		p.Status.ContainerStatuses = []corev1.ContainerStatus{s}
	}
}

func unschedulable(message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: message}}
	}
}

func deleting(p *corev1.Pod) {
	p.DeletionTimestamp, p.DeletionGracePeriodSeconds = &metav1.Time{Time: noon}, ptrTo[int64](30)
}

func suspended(j *batchv1.Job) { j.Spec.Suspend = ptrTo(true) }

func eventAbout(kind, name, reason, message string, count int32) *corev1.Event {
	return &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Name: name + ".1", UID: types.UID("event-" + reason)},
		InvolvedObject: corev1.ObjectReference{Kind: kind, Name: name, UID: types.UID(name + "-uid"), FieldPath: "spec.containers{c}"},
		Reason:         reason, Message: message, Count: count, Type: corev1.EventTypeNormal,
	}
}

// lines are a story's steps: when, who, what about, and why.
func lines(s Story) []string {
	var out []string
	for _, step := range s.Steps {
		line := strings.Join([]string{Offset(step.At.Sub(s.Start)), step.By, step.Object, step.What}, " ")
		if step.Why != "" {
			line += " <- " + step.Why
		}
		out = append(out, line)
	}
	return out
}

func TestEachStepHasItsCause(t *testing.T) {
	pi := jobNamed("pi")
	withRules := jobNamed("pi", rules("Ignore", "FailJob"))
	const s = time.Second
	for name, tc := range map[string]struct {
		past   *past
		target string
		// want are the last steps.
		want []string
	}{
		"a failure counts, and the next Pod waits for the back-off": {
			past: at(0).then(0, "client/ann", pi).then(0, "job/default/pi", podOf(pi, "a")).
				then(5*s, "lifecycle/default/a", podOf(pi, "a", exited(3, 5*s))).
				then(1*s, "job/default/pi", jobNamed("pi", uncountedFailed("a"))).
				then(9*s, "job/default/pi", podOf(pi, "b")),
			want: []string{
				"5s kubelet pod/a Failed: container c ended with exit code 3 (Error)",
				"6s job job/pi counts pod/a as failed, failure 1 of the 1 that backoffLimit allows",
				"6s job job/pi backs off 10s from the Pod's end, until 15s <- the first failure in a row",
				"15s job pod/b created <- its back-off is over; replaces pod/a",
			},
		},
		"more failures than backoffLimit fail the Job": {
			past: at(0).then(0, "client/ann", jobNamed("pi", func(j *batchv1.Job) { j.Spec.BackoffLimit = ptrTo[int32](0) })).
				then(0, "job/default/pi", podOf(pi, "a")).then(5*s, "lifecycle/default/a", podOf(pi, "a", exited(3, 5*s))).
				then(0, "job/default/pi", jobNamed("pi", func(j *batchv1.Job) { j.Spec.BackoffLimit = ptrTo[int32](0) }, uncountedFailed("a"),
					holds(batchv1.JobFailureTarget, batchv1.JobReasonBackoffLimitExceeded, "Job has reached the specified backoff limit"))),
			want: []string{
				"5s job job/pi counts pod/a as failed, 1 failure: more than backoffLimit 0",
				"5s job job/pi FailureTarget: BackoffLimitExceeded <- 1 failure, which is more than backoffLimit 0",
			},
		},
		"the rule of the podFailurePolicy that decides is named": {
			past: at(0).then(0, "client/ann", withRules).then(0, "job/default/pi", podOf(pi, "a")).
				then(5*s, "lifecycle/default/a", podOf(pi, "a", exited(2, 5*s))).
				then(0, "job/default/pi", jobNamed("pi", rules("Ignore", "FailJob"), uncountedFailed("a"),
					holds(batchv1.JobFailureTarget, batchv1.JobReasonPodFailurePolicy, "Container c … matching FailJob rule at index 1"))),
			want: []string{
				"5s job job/pi counts pod/a as failed, failure 1 of the 1 that backoffLimit allows <- podFailurePolicy rule 1 matches: FailJob on exit codes In 2",
				"5s job job/pi FailureTarget: PodFailurePolicy <- Container c … matching FailJob rule at index 1",
			},
		},
		"a failure that is ignored is no failure, but a back-off": {
			past: at(0).then(0, "client/ann", withRules).then(0, "job/default/pi", podOf(pi, "a")).
				then(5*s, "lifecycle/default/a", podOf(pi, "a", exited(1, 5*s))).
				then(1*s, "job/default/pi", podOf(pi, "a", exited(1, 5*s), func(p *corev1.Pod) { p.Finalizers = nil })),
			want: []string{
				"6s job job/pi does not count pod/a as failed <- podFailurePolicy rule 0 matches: Ignore on exit codes In 1",
				"6s job job/pi backs off 10s from the Pod's end, until 15s <- the first failure in a row",
			},
		},
		"a suspended Job deletes its Pods": {
			past: at(0).then(0, "client/ann", pi).then(0, "job/default/pi", podOf(pi, "a")).
				then(5*s, "client/bob", jobNamed("pi", suspended)).then(0, "job/default/pi", podOf(pi, "a", deleting)),
			want: []string{
				"5s client bob job/pi suspended",
				"5s job pod/a deleted, with a grace period of 30s <- the Job is suspended",
			},
		},
		"what still ran when the Job failed counts as failed with it": {
			past: at(0).then(0, "client/ann", pi).then(0, "job/default/pi", podOf(pi, "a")).
				then(5*s, "job/default/pi", jobNamed("pi", uncountedFailed("a"), holds(batchv1.JobFailureTarget, batchv1.JobReasonDeadlineExceeded, "too long"))),
			want: []string{
				"5s job job/pi FailureTarget: DeadlineExceeded <- too long",
				"5s job job/pi counts pod/a as failed <- what still runs fails with the Job",
			},
		},
		"a user deletes a Pod": {
			past:   at(0).then(0, "client/ann", podOf(nil, "a")).then(s, "client/bob", podOf(nil, "a", deleting)).deleted("lifecycle/default/a", podOf(nil, "a", deleting)),
			target: "Pod/a",
			want:   []string{"1s client bob pod/a deleted, with a grace period of 30s", "1s kubelet pod/a gone"},
		},
		"a Pod that no node can take": {
			past:   at(0).then(0, "client/ann", podOf(nil, "a")).then(0, "scheduler/default/a", podOf(nil, "a", unschedulable("0/2 nodes are available"))),
			target: "Pod/a",
			want:   []string{"0s scheduler pod/a Pending: Unschedulable <- 0/2 nodes are available"},
		},
		"a container that is restarted waits": {
			past: at(0).then(0, "client/ann", podOf(nil, "a")).
				then(6*s, "lifecycle/default/a", podOf(nil, "a", waits("CrashLoopBackOff", "back-off 20s restarting failed container=c pod=a"))),
			target: "Pod/a",
			want: []string{
				"6s kubelet pod/a container c ended with exit code 2",
				"6s kubelet pod/a container c waits: CrashLoopBackOff of 20s, until 25s",
			},
		},
		"the PodScript that runs a container": {
			past: at(0).then(0, "client/ann", podOf(nil, "a")).
				then(s, "lifecycle/default/a", eventAbout("Pod", "a", v1alpha1.ReasonScripted, `PodScript "flaky" runs the container, attempt 1`, 1)),
			target: "Pod/a",
			want:   []string{`1s kubelet pod/a PodScript "flaky" runs container c, attempt 1`},
		},
		"an Event that comes again": {
			past: at(0).then(0, "client/ann", podOf(nil, "a")).
				then(s, "lifecycle/default/a", eventAbout("Pod", "a", "Unhealthy", "Liveness probe failed: ", 1)).
				then(s, "lifecycle/default/a", eventAbout("Pod", "a", "Unhealthy", "Liveness probe failed: ", 2)),
			target: "Pod/a",
			want:   []string{"1s kubelet pod/a container c: Liveness probe failed", "2s kubelet pod/a container c: Liveness probe failed (2 times by now)"},
		},
		"the Fault that has hit a controller's request": {
			past: at(0).then(0, "client/ann", pi).then(s, "job/default/pi", eventAbout("Job", "pi", "FailedCreate", "Error creating: not today", 1)).
				then(0, "fault/no-pods", &v1alpha1.Fault{ObjectMeta: metav1.ObjectMeta{Name: "no-pods", UID: "f"}, Status: v1alpha1.FaultStatus{Hits: 1}}),
			want: []string{"1s job job/pi FailedCreate container c <- Error creating: not today; Fault no-pods has hit a request at this instant"},
		},
		"a Job of a CronJob says when it was due": {
			past: at(0).then(0, "client/ann", &batchv1.CronJob{ObjectMeta: metav1.ObjectMeta{Name: "cj", UID: "cj-uid"}, Spec: batchv1.CronJobSpec{Schedule: "@hourly", ConcurrencyPolicy: "Forbid"}}).
				then(time.Hour, "cronjob/default/cj", jobNamed("cj-1", func(j *batchv1.Job) {
					j.OwnerReferences = []metav1.OwnerReference{{Kind: "CronJob", Name: "cj", UID: "cj-uid", Controller: ptrTo(true)}}
					j.Annotations = map[string]string{batchv1.CronJobScheduledTimestampAnnotation: "2026-01-01T13:00:00Z"}
				})).deleted("cronjob/default/cj", jobNamed("cj-1")),
			target: "CronJob/cj",
			want: []string{
				`0s client ann cronjob/cj created: schedule "@hourly", concurrencyPolicy Forbid, history of 3 successful and 1 failed Jobs`,
				"1h cronjob job/cj-1 created: completions 1, parallelism 1, backoffLimit 1 <- cronjob/cj, due at 2026-01-01T13:00:00Z",
				"1h cronjob job/cj-1 deleted <- concurrencyPolicy Replace: the next run is due",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			target := Target{Kind: "Job", Namespace: "default", Name: "pi"}
			if kind, name, ok := strings.Cut(tc.target, "/"); ok {
				target.Kind, target.Name = kind, name
			}
			got := lines(Tell(target, tc.past.commits, noon.Add(time.Hour)))
			if last := got[max(0, len(got)-len(tc.want)):]; !slices.Equal(last, tc.want) {
				t.Errorf("got\n%s\nwant at the end\n%s", strings.Join(got, "\n"), strings.Join(tc.want, "\n"))
			}
		})
	}
}

func TestAPodsStoryHasWhatCausedItAndNothingElse(t *testing.T) {
	pi := jobNamed("pi")
	p := at(0).then(0, "client/ann", pi).then(0, "job/default/pi", podOf(pi, "a")).then(0, "job/default/pi", podOf(pi, "b")).
		then(5*time.Second, "client/bob", jobNamed("pi", suspended)).then(0, "job/default/pi", podOf(pi, "a", deleting), podOf(pi, "b", deleting))
	s := Tell(Target{Kind: "Pod", Namespace: "default", Name: "b"}, p.commits, noon.Add(time.Hour))
	want := []string{
		"0s client ann job/pi created: completions 1, parallelism 1, backoffLimit 1",
		"0s job pod/b created",
		"5s client bob job/pi suspended",
		"5s job pod/b deleted, with a grace period of 30s <- the Job is suspended",
	}
	if got := lines(s); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if !slices.Equal(s.Steps[3].Causes, []int{2}) {
		t.Errorf("causes of the last step: %v, want that it was suspended", s.Steps[3].Causes)
	}
	if len(s.Rows) != 1 || s.Rows[0].Object != "pod/b" {
		t.Errorf("rows: %+v, want the Pod's", s.Rows)
	}
}

func TestHistoryThatIsForgottenIsSaid(t *testing.T) {
	pi := jobNamed("pi")
	pi.CreationTimestamp = metav1.NewTime(noon)
	commits := at(time.Minute).then(0, "", pi).commits
	commits[0].Type, commits[0].Cut = watch.Modified, true
	s := Tell(Target{Kind: "Job", Namespace: "default", Name: "pi"}, commits, noon.Add(time.Hour))
	if !slices.Equal(s.Forgotten, []string{"job/pi"}) || !s.Start.Equal(noon) {
		t.Errorf("forgotten %q, start %s; want job/pi from noon on", s.Forgotten, s.Start)
	}
	var out strings.Builder
	if err := Print(&out, &s); err != nil || !strings.Contains(out.String(), "compacted away, also the beginning of job/pi;") {
		t.Errorf("%v\n%s", err, out.String())
	}
}
