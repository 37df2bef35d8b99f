package cronjob

import (
	"cmp"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	jobutil "k8s.io/kubernetes/pkg/controller/job/util"
)

// surplus returns the Jobs beyond the history limits, those that started first
// before the others. Jobs are not changed, nor is their order.
// Source: cleanupFinishedJobs, k8s.io/kubernetes pkg/controller/cronjob v1.37.2.
func surplus(cj *batchv1.CronJob, jobs []*batchv1.Job) []*batchv1.Job {
	var complete, failed []*batchv1.Job
	for _, job := range jobs {
		switch _, condition := jobutil.FinishedCondition(job); condition {
		case batchv1.JobComplete:
			complete = append(complete, job)
		case batchv1.JobFailed:
			failed = append(failed, job)
		}
	}
	return append(beyond(complete, cj.Spec.SuccessfulJobsHistoryLimit), beyond(failed, cj.Spec.FailedJobsHistoryLimit)...)
}

func beyond(jobs []*batchv1.Job, limit *int32) []*batchv1.Job {
	if limit == nil || len(jobs) <= int(*limit) {
		return nil
	}
	slices.SortFunc(jobs, startOrder)
	return jobs[:len(jobs)-int(*limit)]
}

// startOrder puts a Job that has not started behind all others.
func startOrder(a, b *batchv1.Job) int {
	first, second := a.Status.StartTime, b.Status.StartTime
	switch {
	case first == nil && second != nil:
		return 1
	case first != nil && second == nil:
		return -1
	case first == nil || first.Equal(second):
		return cmp.Compare(a.Name, b.Name)
	}
	return first.Compare(second.Time)
}
