package cronjob

import (
	"errors"
	"fmt"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/kubernetes/pkg/util/parsers"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// schedule is what a parsed spec.schedule can tell: the first of its times after
// t, or the zero time if there is none in the five years after.
type schedule interface {
	Next(t time.Time) time.Time
}

// parse reads spec.schedule, in the spec's time zone.
func parse(spec *batchv1.CronJobSpec) (schedule, error) {
	text := spec.Schedule
	if spec.TimeZone != nil && !hasOwnZone(spec) {
		if _, err := time.LoadLocation(*spec.TimeZone); err == nil {
			text = fmt.Sprintf("TZ=%s %s", *spec.TimeZone, text)
		}
	}
	return parsers.ParseCronScheduleWithPanicRecovery(text)
}

// hasOwnZone reports whether the schedule names a time zone itself, which the
// API refuses in new CronJobs.
func hasOwnZone(spec *batchv1.CronJobSpec) bool { return strings.Contains(spec.Schedule, "TZ") }

// zone is the spec's time zone, which must exist if it has one; else UTC.
func zone(spec *batchv1.CronJobSpec) *time.Location {
	if spec.TimeZone != nil {
		if location, err := time.LoadLocation(*spec.TimeZone); err == nil {
			return location
		}
	}
	return time.UTC
}

// since is the instant after which scheduled times count: that of the last Job,
// or of the CronJob's creation. It is in UTC, because a schedule without a time
// zone is read in that of the instant it is asked about. A status may name the year
// 2, from which there would be a long way to walk.
func since(cj *batchv1.CronJob) time.Time {
	if cj.Status.LastScheduleTime != nil {
		return engine.Within(cj.Status.LastScheduleTime.UTC())
	}
	return cj.CreationTimestamp.UTC()
}

// withDeadline leaves out the scheduled times that are too late to start.
func withDeadline(from time.Time, spec *batchv1.CronJobSpec, now time.Time) time.Time {
	if spec.StartingDeadlineSeconds == nil {
		return from
	}
	if earliest := engine.After(now, -engine.Seconds(*spec.StartingDeadlineSeconds)); earliest.After(from) {
		return earliest
	}
	return from
}

// missedMax is how many missed times are too many to go unmentioned. Source:
// mostRecentScheduleTime, k8s.io/kubernetes pkg/controller/cronjob v1.37.2.
const missedMax = 100

// missed are the scheduled times of an interval.
type missed struct {
	// Last is the last of them; zero if none was found.
	Last time.Time
	// Count is upstream's estimate of how many more than one there were, from the
	// distance of the first two. An irregular schedule may thus have a Count but
	// no Last.
	Count int64
}

// errInvalidSchedule has upstream's words, which its Event shows.
var errInvalidSchedule = errors.New("time difference between two schedules is less than 1 second")

// missedTimes looks for scheduled times after from, until now. It fails for a
// schedule that can be written but never comes, such as the 31st of February.
//
// Not all of them are looked at: it jumps over as many of the first interval as
// fit in, and walks from there.
// Source: mostRecentScheduleTime, k8s.io/kubernetes pkg/controller/cronjob v1.37.2.
func missedTimes(from time.Time, sched schedule, now time.Time) (missed, error) {
	first := sched.Next(from)
	second := sched.Next(first)
	if now.Before(first) {
		return missed{}, nil
	}
	if now.Before(second) {
		return missed{Last: first}, nil
	}
	interval := int64(second.Sub(first).Round(time.Second) / time.Second)
	if first.IsZero() || interval < 1 {
		return missed{}, errInvalidSchedule
	}
	m := missed{Count: int64(now.Sub(first)/time.Second)/interval + 1}
	// One interval less than fits in, so that the walk finds the last time of an
	// irregular schedule too.
	almost := engine.After(first, engine.Seconds((m.Count-2)*interval))
	for t := sched.Next(almost); !t.IsZero() && !t.After(now); t = sched.Next(t) {
		m.Last = t
	}
	return m, nil
}

// nextTime is the first scheduled time to come; from is where missedTimes looks.
// Source: nextScheduleTimeDuration, k8s.io/kubernetes pkg/controller/cronjob v1.37.2.
func nextTime(from time.Time, sched schedule, now time.Time) time.Time {
	switch m, err := missedTimes(from, sched, now); {
	case err == nil && !m.Last.IsZero():
		return sched.Next(m.Last)
	case err != nil || m.Count > 0:
		return sched.Next(now)
	}
	return sched.Next(from)
}
