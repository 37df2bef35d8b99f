package explain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
	"k8s.io/utils/ptr"

	jobcontroller "github.com/kubesim-dev/kubesim/controllers/job"
)

// uncounted are the Pods that a status is about to count.
func uncounted(job *batchv1.Job) (succeeded, failed []types.UID) {
	if u := job.Status.UncountedTerminatedPods; u != nil {
		return u.Succeeded, u.Failed
	}
	return nil, nil
}

// fresh are the elements of is that are not in was.
func fresh[T comparable](was, is []T) []T {
	return slices.DeleteFunc(slices.Clone(is), func(x T) bool { return slices.Contains(was, x) })
}

func (t *teller) countSucceeded(s *jobStory, old, job *batchv1.Job) {
	was, _ := uncounted(old)
	is, _ := uncounted(job)
	pods := fresh(was, is)
	total := int(job.Status.Succeeded) + len(is)
	what := ""
	switch {
	case job.Status.CompletedIndexes != old.Status.CompletedIndexes:
		total = int(job.Status.Succeeded)
		what = "completed indexes: " + job.Status.CompletedIndexes
		pods = t.succeededPods(s)
	case len(pods) > 0:
		what = "counts " + t.podNames(pods) + " as succeeded"
	default:
		return
	}
	if c := job.Spec.Completions; c != nil {
		what += fmt.Sprintf(", %d of %d completions", total, *c)
	}
	s.row = 0
	step := t.say(Good, what, "", s.take(pods)...)
	s.opened, s.openedWhy = step, "a Pod has succeeded, and completions are left"
	s.lastStep = step
}

// succeededPods are those of an Indexed Job that have ended and are not counted yet.
func (t *teller) succeededPods(s *jobStory) []types.UID {
	var out []types.UID
	for uid := range s.ends {
		if pod, ok := t.last[uid].(*corev1.Pod); ok && pod.Status.Phase == corev1.PodSucceeded {
			out = append(out, uid)
		}
	}
	return out // in whatever order: steps are sorted
}

// take returns the steps of the ends of Pods, which are counted now.
func (s *jobStory) take(pods []types.UID) []int {
	var steps []int
	for _, uid := range pods {
		if step, ok := s.ends[uid]; ok {
			steps = append(steps, step)
			delete(s.ends, uid)
		}
	}
	return steps
}

// namesMax is how many Pods one step names.
const namesMax = 3

func (t *teller) podNames(pods []types.UID) string {
	var names []string
	for _, uid := range pods {
		name := "a Pod that is gone"
		if pod := t.last[uid]; pod != nil {
			name = "pod/" + pod.GetName()
		}
		names = append(names, name)
	}
	slices.Sort(names)
	if n := len(names) - namesMax; n > 1 {
		names = append(names[:namesMax], fmt.Sprintf("%d more", n))
	}
	return strings.Join(names, ", ")
}

// countFailed tells which Pods have failed, by themselves or because they are deleted.
func (t *teller) countFailed(s *jobStory, old, job *batchv1.Job) {
	_, was := uncounted(old)
	_, is := uncounted(job)
	pods := slices.DeleteFunc(fresh(was, is), t.stopped)
	if len(pods) == 0 {
		return
	}
	why := t.whyFailed(job, pods)
	causes := s.take(pods)
	for _, uid := range pods {
		if p := t.pods[uid]; p != nil && len(causes) == 0 {
			causes = append(causes, p.deleted)
		}
	}
	total := int(job.Status.Failed) + len(was) + len(pods)
	s.failures = total
	what := fmt.Sprintf("counts %s as failed", t.podNames(pods))
	if job.Spec.BackoffLimitPerIndex == nil {
		what += fmt.Sprintf(", failure %d of the %d that backoffLimit allows", total, *job.Spec.BackoffLimit)
		if total > int(*job.Spec.BackoffLimit) {
			what = fmt.Sprintf("counts %s as failed, %s: more than backoffLimit %d", t.podNames(pods), count(total, "failure"), *job.Spec.BackoffLimit)
		}
	}
	step := t.say(Bad, what, why, causes...)
	s.lastStep = step
	s.row += int32(len(pods))
	if job.Spec.BackoffLimitPerIndex == nil {
		s.opened, s.openedWhy = step, "replaces "+t.podNames(pods)
		s.room = nil // the Job backs off as a whole
		clear(s.byIndex)
		t.jobBackOff(s, job, pods, step)
	}
}

// stopped reports whether a Pod that counts as failed would still run.
func (t *teller) stopped(uid types.UID) bool {
	pod, ok := t.last[uid].(*corev1.Pod)
	return ok && !podutil.IsPodTerminal(pod) && pod.DeletionTimestamp == nil
}

// countStopped tells which Pods count as failed because the Job has.
func (t *teller) countStopped(s *jobStory, old, job *batchv1.Job) {
	_, was := uncounted(old)
	_, is := uncounted(job)
	pods := slices.DeleteFunc(fresh(was, is), func(uid types.UID) bool { return !t.stopped(uid) })
	if len(pods) > 0 {
		t.say(Plain, fmt.Sprintf("counts %s as failed", t.podNames(pods)), "what still runs fails with the Job", s.target)
	}
}

// whyFailed says which rule of the podFailurePolicy decided on the Pods, or that they
// were being deleted.
func (t *teller) whyFailed(job *batchv1.Job, pods []types.UID) string {
	var whys []string
	for _, uid := range pods {
		pod, ok := t.last[uid].(*corev1.Pod)
		if !ok {
			continue
		}
		why := ""
		if i, _ := jobcontroller.MatchingRule(job.Spec.PodFailurePolicy, pod); i >= 0 {
			why = ruleText(i, &job.Spec.PodFailurePolicy.Rules[i])
		} else if job.Spec.PodFailurePolicy != nil {
			why = "no rule of podFailurePolicy matches"
		} else if pod.Status.Phase != corev1.PodFailed && pod.DeletionTimestamp != nil {
			why = "what is being deleted counts as failed"
		}
		if why != "" && !slices.Contains(whys, why) {
			whys = append(whys, why)
		}
	}
	return strings.Join(whys, "; ")
}

// ruleText is a rule of a podFailurePolicy.
func ruleText(i int, rule *batchv1.PodFailurePolicyRule) string {
	on := ""
	if e := rule.OnExitCodes; e != nil {
		on = fmt.Sprintf("exit codes %s %s", e.Operator, strings.ReplaceAll(strings.Trim(fmt.Sprint(e.Values), "[]"), " ", ","))
		if e.ContainerName != nil {
			on += " of container " + *e.ContainerName
		}
	} else {
		var kinds []string
		for _, c := range rule.OnPodConditions {
			kinds = append(kinds, string(c.Type))
		}
		on = "condition " + strings.Join(kinds, " or ")
	}
	return fmt.Sprintf("podFailurePolicy rule %d matches: %s on %s", i, rule.Action, on)
}

// jobBackOff tells how long the Job waits after failures.
func (t *teller) jobBackOff(s *jobStory, job *batchv1.Job, pods []types.UID, step int) {
	if ending(job) || job.DeletionTimestamp != nil || job.Spec.Suspend != nil && *job.Spec.Suspend {
		return
	}
	var wait time.Duration
	var until time.Time
	for _, uid := range pods {
		pod, ok := t.last[uid].(*corev1.Pod)
		if !ok {
			continue
		}
		w, at := jobcontroller.NextPod(pod, s.row)
		if at.After(until) {
			wait, until = w, at
		}
	}
	if !until.After(t.c.Time) {
		return
	}
	inRow := "the first failure in a row"
	if s.row > 1 {
		inRow = count(int(s.row), "failure") + " in a row: 10s, doubled for each further one"
	}
	what := fmt.Sprintf("backs off %s from the Pod's end, until %s", Offset(wait), t.since(until))
	s.opened = t.sayOf("job/"+job.Name, Wait, what, inRow, step)
	s.openedWhy = "its back-off is over; " + s.openedWhy
	s.bars.backOff(t.c.Time, until)
}

// failedIndexes tells that an index is not tried any more.
func (t *teller) failedIndexes(s *jobStory, old, job *batchv1.Job) {
	is, was := ptr.Deref(job.Status.FailedIndexes, ""), ptr.Deref(old.Status.FailedIndexes, "")
	if is == was || is == "" {
		return
	}
	var whys []string
	for _, pod := range t.podsOf(job) {
		ix := pod.Annotations[batchv1.JobCompletionIndexAnnotation]
		_, _, _, again := jobcontroller.NextPodOfIndex(job, pod)
		if pod.Status.Phase != corev1.PodFailed || again || s.lost[ix] {
			continue
		}
		s.lost[ix] = true
		why := fmt.Sprintf("index %s has failed more often than backoffLimitPerIndex %d allows", ix, *job.Spec.BackoffLimitPerIndex)
		if i, _ := jobcontroller.MatchingRule(job.Spec.PodFailurePolicy, pod); i >= 0 && job.Spec.PodFailurePolicy.Rules[i].Action == batchv1.PodFailurePolicyActionFailIndex {
			why = fmt.Sprintf("of index %s %s", ix, ruleText(i, &job.Spec.PodFailurePolicy.Rules[i]))
		}
		whys = append(whys, why)
	}
	s.lastStep = t.say(Bad, "failed indexes: "+is, strings.Join(whys, "; "), s.lastStep)
	s.opened, s.openedWhy = s.lastStep, "an index has failed for good, and others are left"
}

// podsOf are the Pods of a Job, by creation.
func (t *teller) podsOf(job *batchv1.Job) []*corev1.Pod {
	var out []*corev1.Pod
	for _, o := range t.last {
		if pod, ok := o.(*corev1.Pod); ok {
			if ref := owner(pod, "Job"); ref != nil && ref.UID == job.UID {
				out = append(out, pod)
			}
		}
	}
	slices.SortFunc(out, func(a, b *corev1.Pod) int { return t.byCreation(a, b) })
	return out
}
