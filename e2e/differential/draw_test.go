package differential

import (
	"fmt"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"pgregory.net/rapid"
)

// workloads draws any workload. What rapid shrinks to is the plainest one.
func workloads() *rapid.Generator[*workload] {
	return rapid.Custom(func(t *rapid.T) *workload {
		w := &workload{}
		verbs := jobVerbs
		if oneIn(t, 8, "CronJob") {
			w.CronJob = drawCronJob(t)
			w.Season = pick(t, "season", 0, 1, 2)
			verbs = cronJobVerbs
		} else {
			w.Job = drawJob(t, "w")
			if w.Job.Spec.ManualSelector != nil {
				w.Pods = drawPods(t)
			}
		}
		for range pick(t, "steps", 0, 1, 2, 3, 4) {
			w.Steps = apart(append(w.Steps, w.drawStep(t, verbs)))
		}
		return w
	})
}

// quarantine is for how many measures podgc leaves the Pods of a Node alone that is gone.
const quarantine = 4

// apart lets the last step wait until it is at no back-off's distance, ten
// seconds doubled again and again, from another: Pods that end with the one would
// start again with the other. Those of a Node that is deleted end after a quarantine.
func apart(steps []step) []step {
	last := &steps[len(steps)-1]
	backOff := func(distance int) bool { return distance >= 0 && distance&(distance-1) == 0 }
	for meets := true; meets; {
		meets = false
		for i, distance := len(steps)-1, 0; i > 0; i-- {
			distance += steps[i].Wait
			meets = meets || backOff(distance) || steps[i-1].Verb == "delete node" && backOff(distance-quarantine)
		}
		if meets {
			last.Wait++
		}
	}
	return steps
}

// oneIn is true in one of n draws; n is a power of 2. Rapid prefers small
// numbers; its coins are fair.
func oneIn(t *rapid.T, n int, label string) bool {
	for ; n > 1; n /= 2 {
		if !rapid.Bool().Draw(t, label) {
			return false
		}
	}
	return true
}

// pick draws one of the values, each as likely. The first is the plainest.
func pick[T any](t *rapid.T, label string, values ...T) T {
	n := 0
	for range 6 {
		n *= 2
		if rapid.Bool().Draw(t, label) {
			n++
		}
	}
	return values[n*len(values)/64]
}

// maybe draws a value for a field that can be left out.
func maybe[T any](t *rapid.T, n int, label string, values ...T) *T {
	if !oneIn(t, n, label) {
		return nil
	}
	return ptr.To(pick(t, label, values...))
}

func drawJob(t *rapid.T, name string) *batchv1.Job {
	return &batchv1.Job{
		TypeMeta:   metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"},
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       drawJobSpec(t),
	}
}

func drawJobSpec(t *rapid.T) batchv1.JobSpec {
	s := batchv1.JobSpec{
		Completions:  ptr.To(pick(t, "completions", int32(1), 2, 3, 4)),
		Parallelism:  ptr.To(pick(t, "parallelism", int32(1), 2, 3, 4)),
		BackoffLimit: pick(t, "backoffLimit", nil, ptr.To(int32(0)), ptr.To(int32(1)), ptr.To(int32(2)), ptr.To(int32(3))),

		ActiveDeadlineSeconds:   maybe[int64](t, 8, "activeDeadlineSeconds", 5, 15, 25, 55),
		TTLSecondsAfterFinished: maybe[int32](t, 4, "ttlSecondsAfterFinished", 0, 3, 23),
		PodReplacementPolicy:    maybe(t, 2, "podReplacementPolicy", batchv1.TerminatingOrFailed, batchv1.Failed),
	}
	indexed := rapid.Bool().Draw(t, "indexed")
	if indexed {
		s.CompletionMode = ptr.To(batchv1.IndexedCompletion)
		drawIndexed(t, &s)
	} else if oneIn(t, 4, "work queue") {
		s.Completions = nil
	}
	if oneIn(t, 8, "suspended") {
		s.Suspend = ptr.To(true)
	}
	if oneIn(t, 16, "managedBy") {
		s.ManagedBy = ptr.To(pick(t, "managedBy", batchv1.JobControllerName, "example.com/other"))
	}
	drawTemplate(t, &s, indexed)
	if s.Template.Spec.RestartPolicy == corev1.RestartPolicyNever && rapid.Bool().Draw(t, "podFailurePolicy") {
		drawPodFailurePolicy(t, &s)
	}
	if oneIn(t, 8, "manualSelector") {
		s.ManualSelector = ptr.To(true)
		s.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "w"}}
		s.Template.Labels = map[string]string{"app": "w"}
	}
	return s
}

// drawIndexed draws what only an Indexed Job may have.
func drawIndexed(t *rapid.T, s *batchv1.JobSpec) {
	if rapid.Bool().Draw(t, "backoffLimitPerIndex") {
		s.BackoffLimit = nil
		s.BackoffLimitPerIndex = ptr.To(pick(t, "backoffLimitPerIndex", int32(0), 1, 2))
		s.MaxFailedIndexes = maybe[int32](t, 2, "maxFailedIndexes", 0, 1, 2)
		if s.MaxFailedIndexes != nil {
			*s.MaxFailedIndexes = min(*s.MaxFailedIndexes, *s.Completions)
		}
	}
	if oneIn(t, 4, "successPolicy") {
		s.SuccessPolicy = &batchv1.SuccessPolicy{}
		for range pick(t, "rules", 1, 2) {
			last := *s.Completions - 1
			rule := batchv1.SuccessPolicyRule{}
			if rapid.Bool().Draw(t, "succeededIndexes") {
				from := pick(t, "from", 0, last)
				rule.SucceededIndexes = ptr.To(pick(t, "indexes", fmt.Sprint(from), fmt.Sprintf("%d-%d", from, last)))
				if from == last {
					rule.SucceededIndexes = ptr.To(fmt.Sprint(last))
				}
			} else {
				rule.SucceededCount = ptr.To(pick(t, "succeededCount", 1, last+1))
			}
			s.SuccessPolicy.Rules = append(s.SuccessPolicy.Rules, rule)
		}
	}
}

func drawPodFailurePolicy(t *rapid.T, s *batchv1.JobSpec) {
	if s.PodReplacementPolicy != nil {
		s.PodReplacementPolicy = ptr.To(batchv1.Failed)
	}
	actions := []batchv1.PodFailurePolicyAction{"Ignore", "Count", "FailJob"}
	if s.BackoffLimitPerIndex != nil {
		actions = append(actions, "FailIndex")
	}
	policy := &batchv1.PodFailurePolicy{}
	for range pick(t, "rules", 1, 2, 3) {
		rule := batchv1.PodFailurePolicyRule{Action: pick(t, "action", actions...)}
		if rapid.Bool().Draw(t, "onPodConditions") {
			rule.OnPodConditions = []batchv1.PodFailurePolicyOnPodConditionsPattern{{
				Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue,
			}}
		} else {
			rule.OnExitCodes = &batchv1.PodFailurePolicyOnExitCodesRequirement{
				ContainerName: maybe(t, 4, "containerName", "c"),
				Operator:      pick(t, "operator", batchv1.PodFailurePolicyOnExitCodesOpIn, batchv1.PodFailurePolicyOnExitCodesOpNotIn),
				Values:        pick(t, "values", []int32{1}, []int32{2}, []int32{1, 3}, []int32{137, 143}),
			}
		}
		policy.Rules = append(policy.Rules, rule)
	}
	s.PodFailurePolicy = policy
}

func drawTemplate(t *rapid.T, s *batchv1.JobSpec, indexed bool) {
	pod := &s.Template.Spec
	pod.RestartPolicy = corev1.RestartPolicyNever
	if oneIn(t, 4, "OnFailure") {
		pod.RestartPolicy = corev1.RestartPolicyOnFailure
	}
	pod.TerminationGracePeriodSeconds = ptr.To(pick(t, "terminationGracePeriodSeconds", int64(1), 0, 12))
	if oneIn(t, 4, "toleration") {
		pod.Tolerations = []corev1.Toleration{{
			Key: faultTaint, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute,
			TolerationSeconds: maybe[int64](t, 2, "tolerationSeconds", 5, 25),
		}}
	}
	pod.Containers = []corev1.Container{{Name: "c", Image: "busybox", Command: []string{"sh", "-c", drawProgram(t, indexed)}}}
}

// drawProgram draws what the container does: it waits for an instant that
// measure divides, or two and a half for odd indexes, and ends, at first
// otherwise than after some time, and otherwise for some indexes. On SIGTERM it
// may end with a code of its own, or not at all.
func drawProgram(t *rapid.T, indexed bool) string {
	var b strings.Builder
	b.WriteString("n=$(date +%s); m=$(((n+3)/10)); i=${JOB_COMPLETION_INDEX:-0}; ")
	b.WriteString(pick(t, "on SIGTERM", "", "trap 'exit 143' TERM; ", "trap 'exit 3' TERM; ", "trap 'exit 0' TERM; "))
	// $BEGIN is replaced when the workload begins.
	b.WriteString("p=$((m - $BEGIN/10)); ")
	b.WriteString("end() { sleep $(((m+$1)*10+i%2*2-n)).$((i%2*5)) & wait $!; exit $2; }; ")
	exit := func(label string) string {
		code := pick(t, label, 0, 0, 0, 1, 1, 2, 3, -1)
		if code < 0 {
			return "sleep infinity & wait $!"
		}
		return fmt.Sprintf("end %d %d", pick(t, label+" after", 1, 1, 2, 4), code)
	}
	if rapid.Bool().Draw(t, "at first") {
		fmt.Fprintf(&b, "if [ $p -lt %d ]; then %s; fi; ", pick(t, "until", 1, 3, 6), exit("first exit"))
	}
	if indexed && rapid.Bool().Draw(t, "indexes differ") {
		fmt.Fprintf(&b, "if [ $i = %d ]; then %s; fi; ", pick(t, "index", 0, 1, 2, 3), exit("its exit"))
	}
	b.WriteString(exit("exit"))
	return b.String()
}

// drawPods draws Pods without a controller that a Job with a manual selector
// may adopt. They are alike, for which of them it keeps, if it is too many, is by chance.
func drawPods(t *rapid.T) []*corev1.Pod {
	var s batchv1.JobSpec
	drawTemplate(t, &s, false)
	stray := corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "w"}},
		Spec:       s.Template.Spec,
	}
	if rapid.Bool().Draw(t, "finalizer") {
		stray.Finalizers = []string{batchv1.JobTrackingFinalizer}
	}
	var out []*corev1.Pod
	for i := range pick(t, "strays", 0, 1, 2) {
		pod := stray.DeepCopy()
		pod.Name = fmt.Sprintf("stray-%d", i)
		out = append(out, pod)
	}
	return out
}

func drawCronJob(t *rapid.T) *batchv1.CronJob {
	c := &batchv1.CronJob{
		TypeMeta:   metav1.TypeMeta{APIVersion: "batch/v1", Kind: "CronJob"},
		ObjectMeta: metav1.ObjectMeta{Name: "w"},
		Spec: batchv1.CronJobSpec{
			Schedule:                   pick(t, "schedule", "* * * * *", "*/2 * * * *", "@hourly", "*/20 * * * *", "0 1-3 * * *"),
			TimeZone:                   maybe(t, 2, "timeZone", "Etc/UTC", "Europe/Berlin", "America/New_York"),
			StartingDeadlineSeconds:    maybe[int64](t, 4, "startingDeadlineSeconds", 15, 200),
			ConcurrencyPolicy:          pick(t, "concurrencyPolicy", batchv1.AllowConcurrent, batchv1.ForbidConcurrent, batchv1.ReplaceConcurrent),
			Suspend:                    maybe(t, 8, "suspend", true),
			SuccessfulJobsHistoryLimit: maybe[int32](t, 2, "successfulJobsHistoryLimit", 0, 1, 2),
			FailedJobsHistoryLimit:     maybe[int32](t, 2, "failedJobsHistoryLimit", 0, 1, 2),
		},
	}
	c.Spec.JobTemplate.Spec = drawJobSpec(t)
	if ttl := c.Spec.JobTemplate.Spec.TTLSecondsAfterFinished; ttl != nil {
		// With 0 it is a matter of goroutines whether the CronJob sees the end.
		*ttl = max(*ttl, 3)
	}
	// Two Jobs of one selector would take each other's Pods.
	c.Spec.JobTemplate.Spec.ManualSelector, c.Spec.JobTemplate.Spec.Selector = nil, nil
	return c
}

func (w *workload) drawStep(t *rapid.T, verbs []string) step {
	s := step{Wait: pick(t, "wait", 1, 2, 3, 5, 7, 12), Verb: pick(t, "verb", verbs...)}
	switch s.Verb {
	case "delete":
		s.Arg = pick(t, "propagation", "Background", "Foreground", "Orphan")
	case "delete pod":
		s.Arg, s.N = pick(t, "grace", "", "0"), pick(t, "which", 0, 1, 2)
	case "evict", "release", "forget":
		s.N = pick(t, "which", 0, 1, 2)
	case "parallelism":
		s.N = pick(t, "n", 0, 1, 2, 3, 5)
		if *w.Job.Spec.Parallelism > int32(s.N) && w.Job.Spec.CompletionMode != nil {
			s.N = 0 // which of the Pods that are alike go is by chance
		}
	case "elastic", "backoffLimit", "maxFailedIndexes", "history":
		s.N = pick(t, "n", 0, 1, 2, 3, 5)
	case "deadline":
		s.N = pick(t, "seconds", 5, 35, 75)
	case "ttl":
		s.N = pick(t, "seconds", 0, 3, 23, -1)
	case "wait":
		s.Wait = pick(t, "long", 30, 90)
		if !strings.HasPrefix(w.CronJob.Spec.Schedule, "* ") && !strings.HasPrefix(w.CronJob.Spec.Schedule, "*/2 ") {
			s.Wait *= 4
		}
		if oneIn(t, 16, "longer") {
			s.Wait = 630 // a hundred minutes are too many to have missed
		}
	case "schedule":
		s.Arg = pick(t, "schedule", "* * * * *", "*/3 * * * *", "30 * * * *")
	case "concurrencyPolicy":
		s.Arg = pick(t, "policy", "Allow", "Forbid", "Replace")
	}
	return s
}
