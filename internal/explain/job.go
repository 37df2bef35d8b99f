package explain

import (
	"fmt"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
)

// jobStory is what is known of a Job beside its state. Steps that are not known are
// none.
type jobStory struct {
	// opened is the last step that may have left room for Pods, openedWhy says so; closed
	// and closedWhy are the same of what takes Pods away.
	opened, closed       int
	openedWhy, closedWhy string
	deleted              int
	// target is the step of FailureTarget or SuccessCriteriaMet.
	target int
	// row counts the failures since the last success, failures all of those that Pods
	// have had by themselves.
	row      int32
	failures int
	// byIndex are the failures of each index that is to be tried again.
	byIndex map[string]failure
	// lastStep is the last that may have decided on the Job.
	lastStep int
	// lost are the indexes that have failed for good.
	lost map[string]bool
	// ends are the steps of its Pods' ends that are not counted yet, room those that have
	// left room for a Pod that was not created yet.
	ends map[types.UID]int
	room []room
	bars jobBars
}

// room is what the end of a Pod leaves.
type room struct {
	why  string
	step int
}

// failure is a failure for which a new Pod is created.
type failure struct {
	pod  string
	step int
}

func newJobStory() *jobStory {
	return &jobStory{opened: none, closed: none, deleted: none, target: none, lastStep: none, byIndex: map[string]failure{}, ends: map[types.UID]int{}, lost: map[string]bool{}}
}

func (t *teller) jobOf(job *batchv1.Job) *jobStory {
	s := t.jobs[job.UID]
	if s == nil {
		s = newJobStory()
		t.jobs[job.UID] = s
		s.bars.begin(t.c, job)
	}
	return s
}

// job tells how a Job has changed; old is nil if it was not known.
func (t *teller) job(old, job *batchv1.Job) {
	s := t.jobOf(job)
	if t.c.Type == watch.Added {
		t.created[job.UID] = t.jobCreated(s, job)
	}
	var before Object
	if old != nil {
		before = old
	}
	why, cause := t.whyJobDeleted(job)
	if step := t.deletion(before, job, why, cause, s.deleted); step != none && t.c.Type != watch.Deleted {
		s.deleted, s.closed, s.closedWhy = step, step, "the Job is being deleted"
	}
	if t.c.Type == watch.Deleted {
		s.bars.gone(t.c.Time)
		return
	}
	if old == nil {
		old = &batchv1.Job{}
		old.Spec = job.Spec
	}
	t.specChanges(s, old, job)
	t.countSucceeded(s, old, job)
	t.countFailed(s, old, job)
	t.failedIndexes(s, old, job)
	t.conditions(s, old, job)
	t.countStopped(s, old, job)
	s.bars.follow(t.c, job)
}

// jobCreated tells of a new Job, with what decides on its life.
func (t *teller) jobCreated(s *jobStory, job *batchv1.Job) int {
	spec := &job.Spec
	completions := setting("completions", spec.Completions)
	if spec.Completions == nil {
		completions = "a work queue"
	}
	mode := ""
	if ptr.Deref(spec.CompletionMode, batchv1.NonIndexedCompletion) == batchv1.IndexedCompletion {
		mode = "Indexed"
	}
	limit := setting("backoffLimit", spec.BackoffLimit)
	if spec.BackoffLimitPerIndex != nil {
		limit = setting("backoffLimitPerIndex", spec.BackoffLimitPerIndex)
	}
	var policies []string
	if p := spec.PodFailurePolicy; p != nil {
		policies = append(policies, "podFailurePolicy with "+count(len(p.Rules), "rule"))
	}
	if p := spec.SuccessPolicy; p != nil {
		policies = append(policies, "successPolicy with "+count(len(p.Rules), "rule"))
	}
	if ptr.Deref(spec.Suspend, false) {
		policies = append(policies, "suspended")
	}
	what := "created: " + words(", ", mode, completions, setting("parallelism", spec.Parallelism), limit,
		setting("maxFailedIndexes", spec.MaxFailedIndexes), setting("activeDeadlineSeconds", spec.ActiveDeadlineSeconds),
		setting("ttlSecondsAfterFinished", spec.TTLSecondsAfterFinished), strings.Join(policies, ", "))
	why, cause := "", none
	if ref := owner(job, "CronJob"); ref != nil {
		cause = t.createdStep(ref.UID)
		why = "cronjob/" + ref.Name
		if at := job.Annotations[batchv1.CronJobScheduledTimestampAnnotation]; at != "" {
			why += ", due at " + at
		}
	}
	s.opened = t.say(Plain, what, why, cause)
	return s.opened
}

// whyJobDeleted says why a Job is deleted, where the actor does not say it already.
func (t *teller) whyJobDeleted(job *batchv1.Job) (why string, cause int) {
	s, ref := t.jobs[job.UID], owner(job, "CronJob")
	switch controller(t.c.Actor) {
	case "ttlafterfinished":
		if ttl := job.Spec.TTLSecondsAfterFinished; ttl != nil {
			return fmt.Sprintf("ttlSecondsAfterFinished %d have passed since its end", *ttl), s.target
		}
	case "cronjob":
		switch {
		case complete(job):
			return "successfulJobsHistoryLimit of its CronJob", s.target
		case ending(job):
			return "failedJobsHistoryLimit of its CronJob", s.target
		}
		return "concurrencyPolicy Replace: the next run is due", none
	case "garbagecollector":
		if ref != nil {
			return "its owner, cronjob/" + ref.Name + ", is gone or is being deleted", none
		}
	case "namespace":
		return "its namespace is being deleted", none
	}
	return "", none
}

// specChanges tells what somebody wants to be otherwise.
func (t *teller) specChanges(s *jobStory, old, job *batchv1.Job) {
	was, is := &old.Spec, &job.Spec
	if a, b := ptr.Deref(was.Suspend, false), ptr.Deref(is.Suspend, false); a != b {
		if b {
			s.closed, s.closedWhy = t.say(Outside, "suspended", ""), "the Job is suspended"
		} else {
			s.opened, s.openedWhy, s.room = t.say(Outside, "resumed", ""), "the Job was resumed", nil
		}
	}
	if a, b := ptr.Deref(was.Parallelism, 1), ptr.Deref(is.Parallelism, 1); a != b {
		step := t.say(Outside, fmt.Sprintf("parallelism changed from %d to %d", a, b), "")
		if b > a {
			s.opened, s.openedWhy, s.room = step, fmt.Sprintf("parallelism was raised to %d", b), nil
		} else {
			s.closed, s.closedWhy = step, fmt.Sprintf("parallelism was lowered to %d", b)
		}
	}
	if a, b := ptr.Deref(was.Completions, 0), ptr.Deref(is.Completions, 0); a != b {
		step := t.say(Outside, fmt.Sprintf("completions changed from %d to %d", a, b), "")
		s.opened, s.openedWhy = step, fmt.Sprintf("completions are %d now", b)
		s.closed, s.closedWhy = step, s.openedWhy
	}
	for _, f := range []struct {
		name    string
		old, is string
	}{
		{"activeDeadlineSeconds", text(was.ActiveDeadlineSeconds), text(is.ActiveDeadlineSeconds)},
		{"ttlSecondsAfterFinished", text(was.TTLSecondsAfterFinished), text(is.TTLSecondsAfterFinished)},
		{"backoffLimit", text(was.BackoffLimit), text(is.BackoffLimit)},
		{"maxFailedIndexes", text(was.MaxFailedIndexes), text(is.MaxFailedIndexes)},
	} {
		if f.old != f.is {
			t.say(Outside, fmt.Sprintf("%s changed from %s to %s", f.name, f.old, f.is), "")
		}
	}
}

// opening says why there is a new Pod.
func (s *jobStory) opening(pod *corev1.Pod) (why string, cause int) {
	ix, indexed := pod.Annotations[batchv1.JobCompletionIndexAnnotation]
	if f, ok := s.byIndex[ix]; ok && indexed {
		delete(s.byIndex, ix)
		return "replaces pod/" + f.pod, f.step
	}
	if len(s.room) > 0 {
		left := s.room[0]
		s.room = s.room[1:]
		return left.why, left.step
	}
	return s.openedWhy, s.opened
}

// closing says why the Job does not want a Pod any more.
func (s *jobStory) closing() string { return s.closedWhy }

// isTrue reports whether a Job has a condition.
func isTrue(job *batchv1.Job, kinds ...batchv1.JobConditionType) bool {
	return slices.ContainsFunc(job.Status.Conditions, func(c batchv1.JobCondition) bool {
		return c.Status == corev1.ConditionTrue && slices.Contains(kinds, c.Type)
	})
}

// ending reports whether a Job starts no Pods any more, complete whether it succeeds.
func ending(job *batchv1.Job) bool {
	return isTrue(job, batchv1.JobFailureTarget, batchv1.JobFailed, batchv1.JobSuccessCriteriaMet, batchv1.JobComplete)
}

func complete(job *batchv1.Job) bool {
	return isTrue(job, batchv1.JobSuccessCriteriaMet, batchv1.JobComplete)
}
