package cronjob

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

func noon() time.Time { return time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC) }

func at(minutes int) metav1.Time {
	return metav1.NewTime(noon().Add(time.Duration(minutes) * time.Minute))
}

type edit func(*state)

// hourly returns an hourly CronJob, created at half past eleven.
func hourly(edits ...edit) state {
	cj := &batchv1.CronJob{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "cj", UID: "cj-uid", CreationTimestamp: at(-30)}}
	cj.Spec.Schedule = "0 * * * *"
	s := state{CronJob: cj, Listed: map[types.NamespacedName]*batchv1.Job{}}
	for _, edit := range edits {
		edit(&s)
	}
	return s
}

func spec(change func(*batchv1.CronJobSpec)) edit {
	return func(s *state) { change(&s.CronJob.Spec) }
}

func schedules(text string) edit { return spec(func(s *batchv1.CronJobSpec) { s.Schedule = text }) }

func zoned(name string) edit { return spec(func(s *batchv1.CronJobSpec) { s.TimeZone = &name }) }

func policy(p batchv1.ConcurrencyPolicy) edit {
	return spec(func(s *batchv1.CronJobSpec) { s.ConcurrencyPolicy = p })
}

func deadline(seconds int64) edit {
	return spec(func(s *batchv1.CronJobSpec) { s.StartingDeadlineSeconds = &seconds })
}

func suspended(s *state) { s.CronJob.Spec.Suspend = ptr.To(true) }

// rescheduled had another schedule, by which it was due at noon and a half.
func rescheduled(s *state) {
	s.Before = memory{UID: s.CronJob.UID, Schedule: "30 * * * *", WakeAt: at(30).Time}
}

func limits(n int32) edit {
	return spec(func(s *batchv1.CronJobSpec) { s.SuccessfulJobsHistoryLimit = &n })
}

func last(minutes int) edit {
	return func(s *state) { s.CronJob.Status.LastScheduleTime = ptr.To(at(minutes)) }
}

// active is a running Job in the status.
func active(name string) edit {
	return func(s *state) {
		job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID(name)}}
		s.Jobs = append(s.Jobs, job)
		s.Listed[types.NamespacedName{Namespace: "default", Name: name}] = job
		s.CronJob.Status.Active = append(s.CronJob.Status.Active, *engine.Reference(job, "batch/v1", "Job"))
	}
}

// ended makes the last Job end at noon.
func ended(condition batchv1.JobConditionType) edit {
	return func(s *state) {
		job := s.Jobs[len(s.Jobs)-1]
		job.Status.Conditions = []batchv1.JobCondition{{Type: condition, Status: corev1.ConditionTrue}}
		if condition == batchv1.JobComplete {
			job.Status.CompletionTime = ptr.To(at(0))
		}
	}
}

// unlisted is a Job that the status forgot, gone one that it still has.
func unlisted(s *state) { s.CronJob.Status.Active = nil }

func gone(s *state) { s.Jobs, s.Listed = nil, nil }

// gist is a plan in words.
type gist struct {
	Start, Annotation string
	Reap, Replace     []string
	Active            int
	Succeeded         bool
	Events            []string
	// Wake is in how many minutes; never is 0.
	Wake int
}

func gistOf(p plan, now time.Time) gist {
	g := gist{Active: len(p.Status.Active), Succeeded: p.Status.LastSuccessfulTime != nil}
	if p.Start != nil {
		g.Start, g.Annotation = p.Start.Name, p.Start.Annotations[batchv1.CronJobScheduledTimestampAnnotation]
	}
	for _, reap := range p.Reap {
		g.Reap = append(g.Reap, reap.Job.Name)
	}
	for _, job := range p.Replace {
		g.Replace = append(g.Replace, job.Name)
	}
	for _, e := range p.Events {
		g.Events = append(g.Events, e.Reason)
	}
	if !p.WakeAt.IsZero() {
		g.Wake = int(p.WakeAt.Sub(now).Minutes())
	}
	return g
}

func TestDecide(t *testing.T) {
	// The Job of noon.
	const name, stamp = "cj-29454480", "2026-01-01T12:00:00Z"
	for name, tc := range map[string]struct {
		state state
		after int // minutes after noon
		want  gist
	}{
		"it waits for its first time":                  {hourly(), -10, gist{Wake: 10}},
		"it starts at its time":                        {hourly(), 0, gist{Start: name, Annotation: stamp, Wake: 60}},
		"the annotation is in the time zone":           {hourly(zoned("Asia/Kolkata"), schedules("30 17 * * *")), 0, gist{Start: name, Annotation: "2026-01-01T17:30:00+05:30", Wake: 24 * 60}},
		"a time that is missed starts late":            {hourly(), 20, gist{Start: name, Annotation: stamp, Wake: 40}},
		"only the last of several starts":              {hourly(last(-600)), 20, gist{Start: name, Annotation: stamp, Wake: 40}},
		"a time that is too late does not start":       {hourly(deadline(60)), 20, gist{Wake: 40}},
		"a deadline of 0 is always too late":           {hourly(deadline(0)), 0, gist{Wake: 60}},
		"a time starts once":                           {hourly(last(0)), 20, gist{Wake: 40}},
		"suspended, it does not start":                 {hourly(suspended), 20, gist{}},
		"a Job too many goes, untold":                  {hourly(limits(0), active("a"), ended(batchv1.JobComplete)), -10, gist{Reap: []string{"a"}, Succeeded: true, Wake: 10}},
		"a new schedule does not put off the old":      {hourly(schedules("0 13 * * *"), rescheduled), 20, gist{Wake: 10}},
		"a new schedule reaps nothing":                 {hourly(schedules("*/15 * * * *"), limits(0), active("a"), ended(batchv1.JobComplete), rescheduled), 20, gist{Active: 1, Wake: 10}},
		"a new schedule waits":                         {hourly(schedules("*/15 * * * *"), rescheduled), 20, gist{Wake: 10}},
		"after more than 100 missed it starts":         {hourly(last(-60 * 200)), 20, gist{Start: name, Annotation: stamp, Events: []string{"TooManyMissedTimes"}, Wake: 40}},
		"Allow starts beside one that runs":            {hourly(active("a")), 0, gist{Start: name, Annotation: stamp, Active: 1, Wake: 60}},
		"Forbid waits for the one that runs":           {hourly(policy(batchv1.ForbidConcurrent), active("a")), 0, gist{Active: 1, Events: []string{"JobAlreadyActive"}, Wake: 60}},
		"Forbid starts when it has ended":              {hourly(policy(batchv1.ForbidConcurrent), active("a"), ended(batchv1.JobFailed)), 5, gist{Start: name, Annotation: stamp, Events: []string{"SawCompletedJob"}, Wake: 55}},
		"Replace takes its place":                      {hourly(policy(batchv1.ReplaceConcurrent), active("a")), 0, gist{Start: name, Annotation: stamp, Replace: []string{"a"}, Active: 1, Wake: 60}},
		"success has a time":                           {hourly(active("a"), ended(batchv1.JobComplete)), -10, gist{Events: []string{"SawCompletedJob"}, Succeeded: true, Wake: 10}},
		"of a Job that is not in the status too":       {hourly(active("a"), ended(batchv1.JobComplete), unlisted), -10, gist{Succeeded: true, Wake: 10}},
		"a running Job that is not in the status":      {hourly(active("a"), unlisted), -10, gist{Events: []string{"UnexpectedJob"}, Wake: 10}},
		"a Job that is gone leaves the status":         {hourly(active("a"), gone), -10, gist{Events: []string{"MissingJob"}, Wake: 10}},
		"an unknown time zone":                         {hourly(zoned("Mars/Base")), 0, gist{Events: []string{"UnknownTimeZone"}}},
		"no schedule":                                  {hourly(schedules("at noon")), 0, gist{Events: []string{"UnparseableSchedule"}}},
		"a new one that is none":                       {hourly(schedules("at noon"), rescheduled), 0, gist{Events: []string{"UnParseableCronJobSchedule"}, Wake: 30}},
		"one that never comes":                         {hourly(schedules("0 0 31 2 *")), 0, gist{Events: []string{"InvalidSchedule"}}},
		"one with a time zone of its own is warned of": {hourly(schedules("TZ=UTC 0 * * * *")), -10, gist{Events: []string{"UnsupportedSchedule"}, Wake: 10}},
	} {
		t.Run(name, func(t *testing.T) {
			now := at(tc.after).Time
			if diff := cmp.Diff(tc.want, gistOf(decide(tc.state, now), now), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

// TestTheMachinesTimeZoneDoesNotMatter gives the instants in another zone, as
// they come out of a decoder on such a machine.
func TestTheMachinesTimeZoneDoesNotMatter(t *testing.T) {
	s := hourly(schedules("0 12 * * *"), last(-24*60))
	abroad := time.FixedZone("abroad", 5*3600+1800)
	s.CronJob.CreationTimestamp.Time = s.CronJob.CreationTimestamp.In(abroad)
	s.CronJob.Status.LastScheduleTime.Time = s.CronJob.Status.LastScheduleTime.In(abroad)
	want := gist{Start: "cj-29454480", Annotation: "2026-01-01T12:00:00Z", Wake: 24 * 60}
	if diff := cmp.Diff(want, gistOf(decide(s, noon()), noon())); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}

func TestSurplus(t *testing.T) {
	job := func(name string, condition batchv1.JobConditionType, started *metav1.Time) *batchv1.Job {
		j := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: name}}
		j.Status.StartTime = started
		if condition != "" {
			j.Status.Conditions = []batchv1.JobCondition{{Type: condition, Status: corev1.ConditionTrue}}
		}
		return j
	}
	jobs := []*batchv1.Job{
		job("a-late", batchv1.JobComplete, ptr.To(at(2))), job("b-early", batchv1.JobComplete, ptr.To(at(1))), job("c-never", batchv1.JobComplete, nil),
		job("d-runs", "", ptr.To(at(0))), job("e-failed", batchv1.JobFailed, ptr.To(at(3))), job("f-failed", batchv1.JobFailed, ptr.To(at(3))),
	}
	for name, tc := range map[string]struct {
		successful, failed *int32
		want               []string
	}{
		"without limits all stay":             {nil, nil, nil},
		"the first to start go first":         {ptr.To(int32(1)), ptr.To(int32(1)), []string{"b-early", "a-late", "e-failed"}},
		"limits of 0 leave those that run":    {ptr.To(int32(0)), ptr.To(int32(0)), []string{"b-early", "a-late", "c-never", "e-failed", "f-failed"}},
		"limits that are not reached do none": {ptr.To(int32(3)), ptr.To(int32(2)), nil},
	} {
		t.Run(name, func(t *testing.T) {
			cj := &batchv1.CronJob{Spec: batchv1.CronJobSpec{SuccessfulJobsHistoryLimit: tc.successful, FailedJobsHistoryLimit: tc.failed}}
			var got []string
			for _, j := range surplus(cj, jobs) {
				got = append(got, j.Name)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("surplus (-want +got):\n%s", diff)
			}
		})
	}
}
