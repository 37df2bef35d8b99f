package job

import (
	"fmt"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func ref[T any](v T) *T { return &v }

func noon() time.Time { return time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC) }

// ago is an instant some seconds before noon.
func ago(seconds int) *metav1.Time {
	t := metav1.NewTime(noon().Add(-time.Duration(seconds) * time.Second))
	return &t
}

// defaultRules are those of the release.
func defaultRules() rules {
	return rules{Gates{MutableSchedulingDirectivesForSuspendedJobs: true}, DefaultLimits()}
}

type jobEdit func(*batchv1.Job)

// aJob returns a Job that started a minute ago: one completion, backoffLimit 6.
func aJob(edits ...jobEdit) *batchv1.Job {
	j := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "pi", UID: "pi-uid"}}
	j.Spec = batchv1.JobSpec{
		Parallelism: ref(int32(1)), Completions: ref(int32(1)), BackoffLimit: ref(int32(6)),
		Selector: &metav1.LabelSelector{MatchLabels: map[string]string{batchv1.ControllerUidLabel: "pi-uid"}},
	}
	j.Spec.Template.Labels = j.Spec.Selector.MatchLabels
	j.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyNever
	j.Status = batchv1.JobStatus{
		StartTime: ago(60), Ready: ref(int32(0)), Terminating: ref(int32(0)), UncountedTerminatedPods: &batchv1.UncountedTerminatedPods{},
	}
	for _, edit := range edits {
		edit(j)
	}
	return j
}

func sized(completions, parallelism int32) jobEdit {
	return func(j *batchv1.Job) { j.Spec.Completions, j.Spec.Parallelism = &completions, &parallelism }
}

func workQueue(parallelism int32) jobEdit {
	return func(j *batchv1.Job) { j.Spec.Completions, j.Spec.Parallelism = nil, &parallelism }
}

func indexed(j *batchv1.Job) { j.Spec.CompletionMode = ref(batchv1.IndexedCompletion) }

func limit(n int32) jobEdit { return func(j *batchv1.Job) { j.Spec.BackoffLimit = &n } }

func perIndex(n int32) jobEdit { return func(j *batchv1.Job) { j.Spec.BackoffLimitPerIndex = &n } }

func onFailure(j *batchv1.Job) { j.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyOnFailure }

func suspend(on bool) jobEdit { return func(j *batchv1.Job) { j.Spec.Suspend = &on } }

func within(seconds int64) jobEdit {
	return func(j *batchv1.Job) { j.Spec.ActiveDeadlineSeconds = &seconds }
}

func counted(succeeded, failed int32) jobEdit {
	return func(j *batchv1.Job) { j.Status.Succeeded, j.Status.Failed = succeeded, failed }
}

func condition(t batchv1.JobConditionType, status corev1.ConditionStatus, reason string) jobEdit {
	return func(j *batchv1.Job) {
		j.Status.Conditions = append(j.Status.Conditions, batchv1.JobCondition{Type: t, Status: status, Reason: reason, Message: "m"})
	}
}

func policy(rules ...batchv1.PodFailurePolicyRule) jobEdit {
	return func(j *batchv1.Job) { j.Spec.PodFailurePolicy = &batchv1.PodFailurePolicy{Rules: rules} }
}

func onExit(action batchv1.PodFailurePolicyAction, op batchv1.PodFailurePolicyOnExitCodesOperator, codes ...int32) batchv1.PodFailurePolicyRule {
	return batchv1.PodFailurePolicyRule{Action: action, OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{Operator: op, Values: codes}}
}

func onDisruption(action batchv1.PodFailurePolicyAction) batchv1.PodFailurePolicyRule {
	return batchv1.PodFailurePolicyRule{Action: action, OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue}}}
}

func replaceFailed(j *batchv1.Job) { j.Spec.PodReplacementPolicy = ref(batchv1.Failed) }

type podEdit func(*corev1.Pod)

// aPod returns a pending Pod of aJob with the tracking finalizer.
func aPod(name string, edits ...podEdit) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: "default", Name: name, UID: types.UID(name), CreationTimestamp: *ago(60),
		Labels:          map[string]string{batchv1.ControllerUidLabel: "pi-uid"},
		Finalizers:      []string{batchv1.JobTrackingFinalizer},
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(aJob(), batchv1.SchemeGroupVersion.WithKind("Job"))},
	}}
	p.Status.Phase = corev1.PodPending
	for _, edit := range edits {
		edit(p)
	}
	return p
}

func running(p *corev1.Pod) { p.Status.Phase = corev1.PodRunning }

func isReady(p *corev1.Pod) {
	running(p)
	p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue})
}

// exited ends a Pod's container, some seconds before noon.
func exited(code int32, secondsAgo int) podEdit {
	return func(p *corev1.Pod) {
		p.Status.Phase = corev1.PodFailed
		if code == 0 {
			p.Status.Phase = corev1.PodSucceeded
		}
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{
			Name: "c", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, FinishedAt: *ago(secondsAgo)}},
		}}
	}
}

func restarted(n int32) podEdit {
	return func(p *corev1.Pod) { p.Status.ContainerStatuses = []corev1.ContainerStatus{{RestartCount: n}} }
}

func disrupted(p *corev1.Pod) {
	p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue})
}

func deleted(p *corev1.Pod) { p.DeletionTimestamp = ago(5) }

func unfinalized(p *corev1.Pod) { p.Finalizers = nil }

func at(index int) podEdit {
	return func(p *corev1.Pod) {
		p.Annotations = with(p.Annotations, batchv1.JobCompletionIndexAnnotation, strconv.Itoa(index))
	}
}

func names(pods []*corev1.Pod) []string {
	var out []string
	for _, p := range pods {
		out = append(out, p.Name)
	}
	return out
}

// gist is a plan in words.
type gist struct {
	Remove, Unfinalize, Stop []string
	Create                   int
	// Interim and Final say active/ready/terminating succeeded/failed, the
	// uncounted ones with a plus, and the conditions.
	Interim, Final string
	Events         []string
	// Wake is in seconds after noon.
	Wake int
}

func gistOf(p plan) gist {
	g := gist{
		Remove: names(p.Remove), Unfinalize: names(p.Unfinalize), Stop: names(p.Stop), Create: len(p.Create),
		Interim: statusGist(p.Interim), Final: statusGist(p.Final),
	}
	if g.Final == g.Interim {
		g.Final = ""
	}
	for _, e := range append(p.Before, p.After...) {
		g.Events = append(g.Events, e.Reason)
	}
	if !p.WakeAt.IsZero() {
		g.Wake = int(p.WakeAt.Sub(noon()).Seconds())
	}
	return g
}

func statusGist(s *batchv1.JobStatus) string {
	u := s.UncountedTerminatedPods
	text := fmt.Sprintf("%d/%d/%d %d+%d/%d+%d", s.Active, *s.Ready, *s.Terminating, s.Succeeded, len(u.Succeeded), s.Failed, len(u.Failed))
	for _, c := range s.Conditions {
		text += fmt.Sprintf(" %s=%s(%s)", c.Type, c.Status, c.Reason)
	}
	if s.StartTime == nil {
		text += " not started"
	}
	return text
}
