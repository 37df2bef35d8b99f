package ttlafterfinished

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func noon() time.Time { return time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC) }

func job(edits ...func(*batchv1.Job)) *batchv1.Job {
	j := &batchv1.Job{}
	for _, edit := range edits {
		edit(j)
	}
	return j
}

func ttl(seconds int32) func(*batchv1.Job) {
	return func(j *batchv1.Job) { j.Spec.TTLSecondsAfterFinished = &seconds }
}

func finished(t batchv1.JobConditionType, status corev1.ConditionStatus) func(*batchv1.Job) {
	return func(j *batchv1.Job) {
		j.Status.Conditions = append(j.Status.Conditions, batchv1.JobCondition{Type: t, Status: status, LastTransitionTime: metav1.NewTime(noon())})
	}
}

func deleted(j *batchv1.Job) {
	at := metav1.NewTime(noon())
	j.DeletionTimestamp = &at
}

func TestDecide(t *testing.T) {
	complete := finished(batchv1.JobComplete, corev1.ConditionTrue)
	for name, tc := range map[string]struct {
		job  *batchv1.Job
		now  time.Time
		want plan
	}{
		"a finished Job without TTL stays":       {job(complete), noon(), plan{}},
		"a running Job stays whatever its TTL":   {job(ttl(0)), noon(), plan{}},
		"a finished Job wakes when its TTL ends": {job(ttl(60), complete), noon(), plan{WakeAt: noon().Add(time.Minute)}},
		"a failed Job has a TTL too":             {job(ttl(60), finished(batchv1.JobFailed, corev1.ConditionTrue)), noon().Add(time.Minute), plan{Delete: true}},
		"a TTL of zero deletes at once":          {job(ttl(0), complete), noon(), plan{Delete: true}},
		"a Job that is being deleted is left":    {job(ttl(0), complete, deleted), noon(), plan{}},
		"a condition that is False is no end":    {job(ttl(0), finished(batchv1.JobComplete, corev1.ConditionFalse)), noon(), plan{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, decide(tc.job, tc.now)); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}
