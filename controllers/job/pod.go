package job

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/workload"
)

// generateNameMax is how long a generateName may be for nothing of it to be cut
// off. Source: MaxGeneratedNameLength, k8s.io/apiserver pkg/storage/names
// v0.37.2.
const generateNameMax = 58

const completionIndexEnv = "JOB_COMPLETION_INDEX"

// podTemplate returns the Job's template with what all of its Pods get. It is
// made once a step; newPod shares its parts.
func podTemplate(job *batchv1.Job) *corev1.PodTemplateSpec {
	template := job.Spec.Template.DeepCopy()
	if isIndexed(job) {
		for i := range template.Spec.InitContainers {
			addIndexEnv(&template.Spec.InitContainers[i])
		}
		for i := range template.Spec.Containers {
			addIndexEnv(&template.Spec.Containers[i])
		}
	}
	if !slices.Contains(template.Finalizers, batchv1.JobTrackingFinalizer) {
		template.Finalizers = append(template.Finalizers, batchv1.JobTrackingFinalizer)
	}
	return template
}

func addIndexEnv(c *corev1.Container) {
	if slices.ContainsFunc(c.Env, func(v corev1.EnvVar) bool { return v.Name == completionIndexEnv }) {
		return
	}
	c.Env = append(c.Env, corev1.EnvVar{
		Name: completionIndexEnv,
		ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{
			FieldPath: fmt.Sprintf("metadata.labels['%s']", batchv1.JobCompletionIndexAnnotation),
		}},
	})
}

// newPod returns the Pod that c asks for. It shares parts of template.
func newPod(job *batchv1.Job, template *corev1.PodTemplateSpec, c creation) *corev1.Pod {
	pod := workload.NewPod(job, kind(), template, generateName(job.Name, c.Index))
	if c.Index == unknownIndex {
		return pod
	}
	index := strconv.Itoa(c.Index)
	pod.Labels = with(pod.Labels, batchv1.JobCompletionIndexAnnotation, index)
	pod.Annotations = with(pod.Annotations, batchv1.JobCompletionIndexAnnotation, index)
	pod.Spec.Hostname = job.Name + "-" + index
	if hasBackoffLimitPerIndex(job) {
		pod.Annotations[batchv1.JobIndexFailureCountAnnotation] = strconv.Itoa(int(c.Failures))
		if c.Ignored > 0 {
			pod.Annotations[batchv1.JobIndexIgnoredFailureCountAnnotation] = strconv.Itoa(int(c.Ignored))
		}
	}
	return pod
}

// with returns a copy of m with one more entry.
func with(m map[string]string, key, value string) map[string]string {
	out := make(map[string]string, len(m)+2)
	maps.Copy(out, m)
	out[key] = value
	return out
}

// generateName returns the prefix of the Pods' names. A long Job name is cut so
// that the index stays whole.
func generateName(job string, index int) string {
	if index == unknownIndex {
		return workload.Prefix(job)
	}
	suffix := "-" + strconv.Itoa(index) + "-"
	if len(job)+len(suffix) > generateNameMax {
		job = job[:generateNameMax-len(suffix)]
	}
	return job + suffix
}
