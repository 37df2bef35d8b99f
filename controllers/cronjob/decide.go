package cronjob

import (
	"fmt"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	jobutil "k8s.io/kubernetes/pkg/controller/job/util"
)

// reference is one entry of status.active.
type reference = corev1.ObjectReference

// state is what decide decides on.
type state struct {
	CronJob *batchv1.CronJob
	// Before is what the CronJob was at the last step, if there was one.
	Before memory
	// Jobs are those that the CronJob controls, sorted by name.
	Jobs []*batchv1.Job
	// Listed are the Jobs that status.active names and that exist.
	Listed map[types.NamespacedName]*batchv1.Job
}

// rescheduled reports whether the schedule or its time zone has changed since the
// last step.
func (s *state) rescheduled() bool {
	now := memoryOf(s.CronJob)
	return s.Before.UID == now.UID && (s.Before.Schedule != now.Schedule || s.Before.TimeZone != now.TimeZone)
}

// plan is what one step does to a CronJob, in the order in which it is done.
type plan struct {
	// Reap are the Jobs beyond the history limits.
	Reap   []reaping
	Events []event
	// Replace are the Jobs that make room for Start.
	Replace []*batchv1.Job
	// Start is the Job to create, for the scheduled time At; nil for none.
	Start *batchv1.Job
	At    time.Time
	// Status does not know of Replace and Start yet.
	Status batchv1.CronJobStatus
	// WakeAt is the next scheduled time; zero is not before something changes.
	WakeAt time.Time
}

// reaping is a Job to delete. If that fails it is tried again at the next step.
type reaping struct {
	Job *batchv1.Job
	// Stays are the Events if it fails. A CronJob that is deleted gets none.
	Stays []event
}

// event is one Event about a CronJob.
type event struct {
	Type, Reason, Message string
}

func (p *plan) note(reason, format string, args ...any) {
	p.Events = append(p.Events, event{corev1.EventTypeNormal, reason, fmt.Sprintf(format, args...)})
}

func (p *plan) warn(reason, format string, args ...any) {
	p.Events = append(p.Events, event{corev1.EventTypeWarning, reason, fmt.Sprintf(format, args...)})
}

// decide returns what to do about a CronJob. It reads nothing but its arguments
// and changes none of them.
func decide(s state, now time.Time) plan {
	if s.rescheduled() {
		return reschedule(s, now)
	}
	p := plan{Status: *s.CronJob.Status.DeepCopy()}
	p.reap(surplus(s.CronJob, s.Jobs))
	p.account(s.Jobs)
	p.miss(s)
	if s.CronJob.DeletionTimestamp == nil {
		p.schedule(s, now)
	}
	return p
}

// reschedule waits for the next time of a new schedule: those that it would have
// had in the past are not missed. As in upstream's queue, what was due sooner by
// the old one stays due.
// Source: updateCronJob, k8s.io/kubernetes pkg/controller/cronjob v1.37.2.
func reschedule(s state, now time.Time) plan {
	p := plan{Status: s.CronJob.Status}
	if s.Before.WakeAt.After(now) {
		p.WakeAt = s.Before.WakeAt
	}
	sched, err := parse(&s.CronJob.Spec)
	if err != nil {
		p.warn("UnParseableCronJobSchedule", "unparseable schedule for cronjob: %s", s.CronJob.Spec.Schedule)
		return p
	}
	next := nextTime(since(s.CronJob), sched, now)
	if next.IsZero() {
		next = now // it never comes: the next step says so
	}
	if p.WakeAt.IsZero() || next.Before(p.WakeAt) {
		p.WakeAt = next
	}
	return p
}

// reap takes the Jobs to delete from status.active.
func (p *plan) reap(jobs []*batchv1.Job) {
	for _, job := range jobs {
		r := reaping{Job: job}
		if slices.ContainsFunc(p.Status.Active, refersTo(job.UID)) {
			r.Stays = []event{sawCompleted(job)}
			p.Status.Active = slices.DeleteFunc(p.Status.Active, refersTo(job.UID))
		}
		p.Reap = append(p.Reap, r)
	}
}

func sawCompleted(job *batchv1.Job) event {
	_, condition := jobutil.FinishedCondition(job)
	return event{corev1.EventTypeNormal, "SawCompletedJob", fmt.Sprintf("Saw completed job: %s, condition: %v", job.Name, condition)}
}

// account takes the Jobs that have ended from status.active.
func (p *plan) account(jobs []*batchv1.Job) {
	for _, job := range jobs {
		active := slices.ContainsFunc(p.Status.Active, refersTo(job.UID))
		if !jobutil.IsJobFinished(job) {
			if !active {
				p.warn("UnexpectedJob", "Saw a job that the controller did not create or forgot: %s", job.Name)
			}
			continue
		}
		if active {
			p.Events = append(p.Events, sawCompleted(job))
			p.Status.Active = slices.DeleteFunc(p.Status.Active, refersTo(job.UID))
		}
		completed := job.Status.CompletionTime
		if jobutil.IsJobSucceeded(job) && completed != nil && (p.Status.LastSuccessfulTime == nil || completed.After(p.Status.LastSuccessfulTime.Time)) {
			p.Status.LastSuccessfulTime = completed.DeepCopy()
		}
	}
}

// miss takes the Jobs that are gone from status.active.
func (p *plan) miss(s state) {
	p.Status.Active = slices.DeleteFunc(p.Status.Active, func(ref reference) bool {
		if s.Listed[nameOf(&ref)] != nil || slices.ContainsFunc(s.Jobs, func(job *batchv1.Job) bool { return job.UID == ref.UID }) {
			return false
		}
		p.note("MissingJob", "Active job went missing: %v", ref.Name)
		return true
	})
}

// schedule decides whether a Job starts now, and when to look again.
func (p *plan) schedule(s state, now time.Time) {
	spec := &s.CronJob.Spec
	if spec.TimeZone != nil {
		if _, err := time.LoadLocation(*spec.TimeZone); err != nil {
			p.warn("UnknownTimeZone", "invalid timeZone: %q: %s", *spec.TimeZone, err)
			return
		}
	}
	if spec.Suspend != nil && *spec.Suspend {
		return
	}
	if hasOwnZone(spec) {
		p.warn("UnsupportedSchedule", "CRON_TZ or TZ used in schedule %q is not officially supported, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details", spec.Schedule)
	}
	sched, err := parse(spec)
	if err != nil {
		p.warn("UnparseableSchedule", "unparseable schedule: %q : %s", spec.Schedule, err)
		return
	}
	m, err := missedTimes(withDeadline(since(s.CronJob), spec, now), sched, now)
	if err != nil {
		p.warn("InvalidSchedule", "invalid schedule: %s : %s", spec.Schedule, err)
		return
	}
	p.WakeAt = nextTime(since(s.CronJob), sched, now)
	if m.Last.IsZero() {
		return
	}
	if m.Count > missedMax {
		p.warn("TooManyMissedTimes", "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew")
	}
	if p.mayStart(s.CronJob, m.Last) {
		p.start(s, m.Last)
		p.WakeAt = nextTime(m.Last, sched, now)
	}
}

// mayStart judges one scheduled time, in upstream's order. Upstream's Event
// MissSchedule comes first there, but never: withDeadline has left out the times
// that it is about.
// Source: syncCronJob, k8s.io/kubernetes pkg/controller/cronjob v1.37.2.
func (p *plan) mayStart(cj *batchv1.CronJob, at time.Time) bool {
	switch {
	case slices.ContainsFunc(p.Status.Active, func(ref reference) bool { return nameOf(&ref) == jobName(cj, at) }),
		p.Status.LastScheduleTime.Equal(&metav1.Time{Time: at}):
		return false // it has its Job
	case cj.Spec.ConcurrencyPolicy == batchv1.ForbidConcurrent && len(p.Status.Active) > 0:
		p.note("JobAlreadyActive", "Not starting job because prior execution is running and concurrency policy is Forbid")
		return false
	}
	return true
}

func (p *plan) start(s state, at time.Time) {
	p.At, p.Start = at, newJob(s.CronJob, at)
	if s.CronJob.Spec.ConcurrencyPolicy != batchv1.ReplaceConcurrent {
		return
	}
	for i := range p.Status.Active {
		if job := s.Listed[nameOf(&p.Status.Active[i])]; job != nil {
			p.Replace = append(p.Replace, job)
		}
	}
}

// newJob returns the Job of the scheduled time at.
func newJob(cj *batchv1.CronJob, at time.Time) *batchv1.Job {
	template := cj.Spec.JobTemplate.DeepCopy()
	name := jobName(cj, at)
	job := &batchv1.Job{Spec: template.Spec, ObjectMeta: metav1.ObjectMeta{
		Namespace: name.Namespace, Name: name.Name,
		Labels: template.Labels, Annotations: template.Annotations,
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(cj, batchv1.SchemeGroupVersion.WithKind("CronJob"))},
	}}
	if job.Annotations == nil {
		job.Annotations = map[string]string{}
	}
	job.Annotations[batchv1.CronJobScheduledTimestampAnnotation] = at.In(zone(&cj.Spec)).Format(time.RFC3339)
	return job
}

// jobName is the CronJob's name with the minutes of the scheduled time since 1970.
func jobName(cj *batchv1.CronJob, at time.Time) types.NamespacedName {
	return types.NamespacedName{Namespace: cj.Namespace, Name: fmt.Sprintf("%s-%d", cj.Name, at.Unix()/60)}
}

func nameOf(ref *reference) types.NamespacedName {
	return types.NamespacedName{Namespace: ref.Namespace, Name: ref.Name}
}

func refersTo(uid types.UID) func(reference) bool {
	return func(ref reference) bool { return ref.UID == uid }
}
