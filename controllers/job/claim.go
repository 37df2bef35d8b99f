package job

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	jobutil "k8s.io/kubernetes/pkg/controller/job/util"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/workload"
)

// claimPods returns the Job's Pods, after adoptions and releases, by name.
func (r *Reconciler) claimPods(ctx context.Context, job *batchv1.Job, owned []*corev1.Pod) ([]*corev1.Pod, error) {
	selector, err := metav1.LabelSelectorAsSelector(job.Spec.Selector)
	if err != nil {
		return nil, fmt.Errorf("selector of Job %s/%s: %w", job.Namespace, job.Name, err)
	}
	orphans := engine.ByIndex[*corev1.Pod](r.view, engine.Pods, podIndex, orphanKey(job.Namespace, selectedUID(job)))
	return r.pods.Claim(ctx, job, workload.Claim(job, selector, owned, orphans, func(*corev1.Pod) bool { return true }))
}

// candidates returns the Jobs whose selector could match a Pod that has no
// controller.
func (r *Reconciler) candidates(pod *corev1.Pod) []*batchv1.Job {
	jobs := engine.ByIndex[*batchv1.Job](r.view, engine.Jobs, selectorIndex, orphanKey(pod.Namespace, ""))
	if uid := pod.Labels[batchv1.ControllerUidLabel]; uid != "" {
		jobs = append(jobs, engine.ByIndex[*batchv1.Job](r.view, engine.Jobs, selectorIndex, orphanKey(pod.Namespace, uid))...)
	}
	return slices.DeleteFunc(jobs, func(job *batchv1.Job) bool {
		selector, err := metav1.LabelSelectorAsSelector(job.Spec.Selector)
		return err != nil || !selector.Matches(labels.Set(pod.Labels))
	})
}

// reconcileOrphan takes the tracking finalizer from a Pod that no Job controls
// and none is about to adopt.
func (r *Reconciler) reconcileOrphan(ctx context.Context, namespace, name string) error {
	pod, found := engine.Get[*corev1.Pod](r.view, engine.Pods, namespace, name)
	if !found || !hasFinalizer(pod) || metav1.GetControllerOfNoCopy(pod) != nil {
		return nil
	}
	for _, job := range r.candidates(pod) {
		if pod.DeletionTimestamp == nil && job.DeletionTimestamp == nil && !jobutil.IsJobFinished(job) && !managedByOther(job) {
			return nil
		}
	}
	return r.unfinalize(ctx, []*corev1.Pod{pod})
}

// strays returns the Pods with the finalizer whose Job, of the same name, is
// not the one with uid.
func strays(pods []*corev1.Pod, uid types.UID) []*corev1.Pod {
	var out []*corev1.Pod
	for _, pod := range pods {
		if ref := metav1.GetControllerOfNoCopy(pod); hasFinalizer(pod) && ref != nil && ref.UID != uid {
			out = append(out, pod)
		}
	}
	return out
}

func withFinalizer(pods []*corev1.Pod) []*corev1.Pod {
	return slices.DeleteFunc(slices.Clone(pods), func(pod *corev1.Pod) bool { return !hasFinalizer(pod) })
}

func hasFinalizer(pod *corev1.Pod) bool {
	return slices.Contains(pod.Finalizers, batchv1.JobTrackingFinalizer)
}

// withoutFinalizer returns a copy of the Pod's finalizers without ours.
func withoutFinalizer(pod *corev1.Pod) []string {
	return slices.DeleteFunc(slices.Clone(pod.Finalizers), func(f string) bool { return f == batchv1.JobTrackingFinalizer })
}

func compareNames(a, b types.NamespacedName) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}
