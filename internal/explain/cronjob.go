package explain

import (
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
)

// cronJob tells how a CronJob has changed. Its runs are told as Jobs.
func (t *teller) cronJob(old, cj *batchv1.CronJob) {
	if t.c.Type == watch.Added {
		spec := &cj.Spec
		suspended := ""
		if ptr.Deref(spec.Suspend, false) {
			suspended = "suspended"
		}
		t.created[cj.UID] = t.say(Plain, "created: "+words(", ", fmt.Sprintf("schedule %q", spec.Schedule), setting("timeZone", spec.TimeZone),
			"concurrencyPolicy "+string(spec.ConcurrencyPolicy), setting("startingDeadlineSeconds", spec.StartingDeadlineSeconds),
			fmt.Sprintf("history of %d successful and %d failed Jobs", ptr.Deref(spec.SuccessfulJobsHistoryLimit, 3), ptr.Deref(spec.FailedJobsHistoryLimit, 1)), suspended), "")
		return
	}
	var before Object
	if old != nil {
		before = old
	}
	t.deletion(before, cj, "")
	if old == nil || t.c.Type == watch.Deleted {
		return
	}
	was, is := &old.Spec, &cj.Spec
	if a, b := ptr.Deref(was.Suspend, false), ptr.Deref(is.Suspend, false); a != b {
		t.say(Outside, map[bool]string{true: "suspended", false: "resumed"}[b], "")
	}
	for _, f := range []struct{ name, old, is string }{
		{"schedule", was.Schedule, is.Schedule},
		{"timeZone", text(was.TimeZone), text(is.TimeZone)},
		{"concurrencyPolicy", string(was.ConcurrencyPolicy), string(is.ConcurrencyPolicy)},
		{"startingDeadlineSeconds", text(was.StartingDeadlineSeconds), text(is.StartingDeadlineSeconds)},
	} {
		if f.old != f.is {
			t.say(Outside, fmt.Sprintf("%s changed from %s to %s", f.name, f.old, f.is), "")
		}
	}
}
