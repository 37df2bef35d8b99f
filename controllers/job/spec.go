package job

import batchv1 "k8s.io/api/batch/v1"

// managedByOther reports whether spec.managedBy names another controller.
func managedByOther(job *batchv1.Job) bool {
	return job.Spec.ManagedBy != nil && *job.Spec.ManagedBy != batchv1.JobControllerName
}

func unknownCompletionMode(job *batchv1.Job) bool {
	mode := job.Spec.CompletionMode
	return mode != nil && *mode != batchv1.NonIndexedCompletion && *mode != batchv1.IndexedCompletion
}

func suspended(job *batchv1.Job) bool { return job.Spec.Suspend != nil && *job.Spec.Suspend }
