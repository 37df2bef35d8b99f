package job

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

func TestDecide(t *testing.T) {
	for name, tc := range map[string]struct {
		job     *batchv1.Job
		pods    []*corev1.Pod
		backoff backoffRecord
		want    gist
	}{
		"a new Job creates as many Pods as may run": {
			job: aJob(sized(5, 3)), want: gist{Create: 3, Interim: "3/0/0 0+0/0+0"},
		},
		"a Job asks for no more Pods than it has completions left": {
			job: aJob(sized(5, 3), counted(4, 0)), want: gist{Create: 1, Interim: "1/0/0 4+0/0+0"},
		},
		"a Job with all Pods it needs does nothing": {
			job: aJob(sized(5, 2)), pods: []*corev1.Pod{aPod("a", isReady), aPod("b")}, want: gist{Interim: "2/1/0 0+0/0+0"},
		},
		"a Pod too many goes: the one not yet running": {
			job: aJob(sized(5, 1)), pods: []*corev1.Pod{aPod("a", isReady), aPod("b")}, want: gist{Remove: []string{"b"}, Interim: "1/1/1 0+0/0+0"},
		},
		"a Pod that succeeded is counted in two phases, and the Job completes": {
			job: aJob(), pods: []*corev1.Pod{aPod("a", exited(0, 1))},
			want: gist{
				Unfinalize: []string{"a"}, Events: []string{"Completed"},
				Interim: "0/0/0 0+1/0+0 SuccessCriteriaMet=True(CompletionsReached)",
				Final:   "0/0/0 1+0/0+0 SuccessCriteriaMet=True(CompletionsReached) Complete=True(CompletionsReached)",
			},
		},
		"more Pods than completions are worth a warning": {
			job: aJob(), pods: []*corev1.Pod{aPod("a", exited(0, 1)), aPod("b", exited(0, 1))},
			want: gist{
				Unfinalize: []string{"a", "b"}, Events: []string{"TooManySucceededPods", "Completed"},
				Interim: "0/0/0 0+2/0+0 SuccessCriteriaMet=True(CompletionsReached)",
				Final:   "0/0/0 2+0/0+0 SuccessCriteriaMet=True(CompletionsReached) Complete=True(CompletionsReached)",
			},
		},
		"a finished Pod whose finalizer is gone already is only counted": {
			job: aJob(sized(2, 1), func(j *batchv1.Job) {
				j.Status.UncountedTerminatedPods.Succeeded = append(j.Status.UncountedTerminatedPods.Succeeded, "a")
			}),
			want: gist{Create: 1, Interim: "1/0/0 1+0/0+0"},
		},
		"after a failure the next Pod waits": {
			job: aJob(), pods: []*corev1.Pod{aPod("a", exited(1, 3))},
			want: gist{Unfinalize: []string{"a"}, Interim: "0/0/0 0+0/0+1", Final: "0/0/0 0+0/1+0", Wake: 7},
		},
		"a wait that is nearly over still takes a second": {
			job: aJob(), backoff: backoffRecord{Failures: 1, LastFailure: ago(10).Add(time.Millisecond)},
			want: gist{Interim: "0/0/0 0+0/0+0", Wake: 1},
		},
		"the third failure in a row makes it 40 seconds": {
			job: aJob(counted(0, 2)), backoff: backoffRecord{Failures: 2, LastFailure: ago(30).Time}, pods: []*corev1.Pod{aPod("a", exited(1, 0))},
			want: gist{Unfinalize: []string{"a"}, Interim: "0/0/0 0+0/2+1", Final: "0/0/0 0+0/3+0", Wake: 40},
		},
		"a failure above backoffLimit fails the Job and stops its other Pods": {
			job: aJob(sized(2, 2), limit(0)), pods: []*corev1.Pod{aPod("a", exited(1, 1)), aPod("b", isReady)},
			want: gist{
				Unfinalize: []string{"a", "b"}, Stop: []string{"b"},
				Interim: "0/0/1 0+0/0+2 FailureTarget=True(BackoffLimitExceeded)",
				Final:   "0/0/1 0+0/2+0 FailureTarget=True(BackoffLimitExceeded)",
			},
		},
		"a Job that is to fail does so once its Pods are gone": {
			job: aJob(counted(0, 2), condition(batchv1.JobFailureTarget, corev1.ConditionTrue, "BackoffLimitExceeded")),
			want: gist{
				Events:  []string{"BackoffLimitExceeded"},
				Interim: "0/0/0 0+0/2+0 FailureTarget=True(BackoffLimitExceeded)",
				Final:   "0/0/0 0+0/2+0 FailureTarget=True(BackoffLimitExceeded) Failed=True(BackoffLimitExceeded)",
			},
		},
		"a Job that is to fail waits for a Pod that is still terminating": {
			job: aJob(counted(0, 2), condition(batchv1.JobFailureTarget, corev1.ConditionTrue, "BackoffLimitExceeded")), pods: []*corev1.Pod{aPod("a", running, deleted, unfinalized)},
			want: gist{Interim: "0/0/1 0+0/2+0 FailureTarget=True(BackoffLimitExceeded)"},
		},
		"a condition that somebody set to False is ignored": {
			job:  aJob(condition(batchv1.JobFailureTarget, corev1.ConditionFalse, "Mine")),
			want: gist{Create: 1, Interim: "1/0/0 0+0/0+0 FailureTarget=False(Mine)"},
		},
		"success that was met outlasts a later failure": {
			job:  aJob(sized(2, 2), indexed, limit(0), condition(batchv1.JobSuccessCriteriaMet, corev1.ConditionTrue, "SuccessPolicy")),
			pods: []*corev1.Pod{aPod("a", exited(1, 1), at(0))},
			want: gist{
				Unfinalize: []string{"a"}, Events: []string{"Completed"},
				Interim: "0/0/0 0+0/0+1 SuccessCriteriaMet=True(SuccessPolicy)",
				Final:   "0/0/0 0+0/1+0 SuccessCriteriaMet=True(SuccessPolicy) Complete=True(SuccessPolicy)",
			},
		},
		"the deadline is a wake": {
			job: aJob(within(100)), pods: []*corev1.Pod{aPod("a", running)}, want: gist{Interim: "1/0/0 0+0/0+0", Wake: 40},
		},
		"past the deadline the Job fails": {
			job: aJob(within(60)), pods: []*corev1.Pod{aPod("a", running)},
			want: gist{
				Unfinalize: []string{"a"}, Stop: []string{"a"},
				Interim: "0/0/1 0+0/0+1 FailureTarget=True(DeadlineExceeded)", Final: "0/0/1 0+0/1+0 FailureTarget=True(DeadlineExceeded)",
			},
		},
		"a suspended Job loses its Pods without counting them, and its start": {
			job: aJob(suspend(true), within(60)), pods: []*corev1.Pod{aPod("a", isReady)},
			want: gist{Remove: []string{"a"}, Events: []string{"Suspended"}, Interim: "0/0/1 0+0/0+0 Suspended=True(JobSuspended) not started"},
		},
		"a Job that is created suspended waits": {
			job:  aJob(suspend(true), func(j *batchv1.Job) { j.Status.StartTime = nil }),
			want: gist{Events: []string{"Suspended"}, Interim: "0/0/0 0+0/0+0 Suspended=True(JobSuspended) not started"},
		},
		"a resumed Job starts anew": {
			job:  aJob(suspend(false), within(60), condition(batchv1.JobSuspended, corev1.ConditionTrue, "JobSuspended"), func(j *batchv1.Job) { j.Status.StartTime = nil }),
			want: gist{Create: 1, Events: []string{"Resumed"}, Interim: "1/0/0 0+0/0+0 Suspended=False(JobResumed)", Wake: 60},
		},
		"a work queue keeps its Pods after the first success but gets no more": {
			job: aJob(workQueue(3)), pods: []*corev1.Pod{aPod("a", exited(0, 1)), aPod("b", running)},
			want: gist{Unfinalize: []string{"a"}, Interim: "1/0/0 0+1/0+0", Final: "1/0/0 1+0/0+0"},
		},
		"containers restarted too often fail the Job": {
			job: aJob(onFailure, limit(2)), pods: []*corev1.Pod{aPod("a", running, restarted(2))},
			want: gist{
				Unfinalize: []string{"a"}, Stop: []string{"a"},
				Interim: "0/0/1 0+0/0+1 FailureTarget=True(BackoffLimitExceeded)", Final: "0/0/1 0+0/1+0 FailureTarget=True(BackoffLimitExceeded)",
			},
		},
		"a Pod being deleted counts as failed at once": {
			job: aJob(), pods: []*corev1.Pod{aPod("a", running, deleted)},
			want: gist{Unfinalize: []string{"a"}, Interim: "0/0/1 0+0/0+1", Final: "0/0/1 0+0/1+0", Wake: 5},
		},
		"with podReplacementPolicy Failed it is waited for": {
			job: aJob(replaceFailed), pods: []*corev1.Pod{aPod("a", running, deleted)}, want: gist{Interim: "0/0/1 0+0/0+0"},
		},
		"a failure that the policy ignores does not count": {
			job: aJob(limit(0), policy(onDisruption("Ignore"))), pods: []*corev1.Pod{aPod("a", exited(1, 20), disrupted)},
			want: gist{Create: 1, Unfinalize: []string{"a"}, Interim: "1/0/0 0+0/0+0"},
		},
		"a failure that the policy does not forgive fails the Job": {
			job: aJob(policy(onExit("FailJob", "In", 42))), pods: []*corev1.Pod{aPod("a", exited(42, 1))},
			want: gist{
				Unfinalize: []string{"a"}, Events: []string{"PodFailurePolicy"},
				Interim: "0/0/0 0+0/0+1 FailureTarget=True(PodFailurePolicy)",
				Final:   "0/0/0 0+0/1+0 FailureTarget=True(PodFailurePolicy) Failed=True(PodFailurePolicy)",
			},
		},
		"an Indexed Job keeps a failed Pod's finalizer until its index has the next one": {
			job: aJob(sized(2, 2), indexed, perIndex(1), limit(100)), pods: []*corev1.Pod{aPod("a", exited(1, 3), at(0)), aPod("b", running, at(1))},
			want: gist{Interim: "1/0/0 0+0/0+0", Wake: 7},
		},
		"an index that has failed for good is not tried again": {
			job: aJob(sized(2, 2), indexed, perIndex(0), limit(100)), pods: []*corev1.Pod{aPod("a", exited(1, 3), at(0)), aPod("b", running, at(1))},
			want: gist{Unfinalize: []string{"a"}, Interim: "1/0/0 0+0/0+1", Final: "1/0/0 0+0/1+0"},
		},
		"an Indexed Job removes a repeated index": {
			job: aJob(sized(2, 2), indexed), pods: []*corev1.Pod{aPod("a", isReady, at(0)), aPod("b", at(0))},
			want: gist{Remove: []string{"b"}, Interim: "1/1/1 0+0/0+0"},
		},
		"a Job that is being deleted creates nothing and lets its Pods go": {
			job: aJob(sized(2, 2), func(j *batchv1.Job) { j.DeletionTimestamp = ago(1) }), pods: []*corev1.Pod{aPod("a", running)},
			want: gist{Unfinalize: []string{"a"}, Interim: "1/0/0 0+0/0+0"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := tc.job.DeepCopy()
			if diff := cmp.Diff(tc.want, gistOf(decide(tc.job, tc.pods, tc.backoff, defaultRules(), noon()))); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, tc.job); diff != "" {
				t.Errorf("decide changed the Job (-before +after):\n%s", diff)
			}
		})
	}
}

func TestAStepCountsAtMost500Pods(t *testing.T) {
	var pods []*corev1.Pod
	for i := range 700 {
		pods = append(pods, aPod(fmt.Sprintf("pod-%d", i), exited(0, 1)))
	}
	got := decide(aJob(sized(700, 700)), pods, backoffRecord{}, defaultRules(), noon())
	if len(got.Unfinalize) != defaultRules().UncountedMax || len(got.After) > 0 {
		t.Errorf("%d finalizers go, Events %v", len(got.Unfinalize), got.After)
	}
}

func TestAStepCreatesOrDeletesAtMost500Pods(t *testing.T) {
	got := decide(aJob(sized(700, 700)), nil, backoffRecord{}, defaultRules(), noon())
	if len(got.Create) != defaultRules().PodsPerStepMax || got.Interim.Active != 500 {
		t.Errorf("%d Pods are created, active is %d", len(got.Create), got.Interim.Active)
	}
	var pods []*corev1.Pod
	for i := range 700 {
		pods = append(pods, aPod(fmt.Sprintf("pod-%d", i), running))
	}
	got = decide(aJob(sized(700, 0)), pods, backoffRecord{}, defaultRules(), noon())
	if len(got.Remove) != defaultRules().PodsPerStepMax || got.Interim.Active != 200 {
		t.Errorf("%d Pods are deleted, active is %d", len(got.Remove), got.Interim.Active)
	}
}
