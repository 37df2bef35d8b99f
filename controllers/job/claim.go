package job

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	jobutil "k8s.io/kubernetes/pkg/controller/job/util"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// claims sorts the Pods that a Job controls or could control.
type claims struct {
	// Own are the Job's Pods already.
	Own []*corev1.Pod
	// Adopt have no controller and match the selector.
	Adopt []*corev1.Pod
	// Release are controlled by the Job and no longer match its selector.
	Release []*corev1.Pod
}

// claim decides as BaseControllerRefManager.ClaimObject does.
// Source: k8s.io/kubernetes pkg/controller v1.37.2.
func claim(job *batchv1.Job, selector labels.Selector, owned, orphans []*corev1.Pod) claims {
	var c claims
	for _, pod := range owned {
		ref := metav1.GetControllerOfNoCopy(pod)
		switch {
		case ref == nil || ref.UID != job.UID:
		case selector.Matches(labels.Set(pod.Labels)):
			c.Own = append(c.Own, pod)
		case job.DeletionTimestamp == nil:
			c.Release = append(c.Release, pod)
		}
	}
	if job.DeletionTimestamp != nil {
		return c
	}
	for _, pod := range orphans {
		if pod.DeletionTimestamp == nil && selector.Matches(labels.Set(pod.Labels)) {
			c.Adopt = append(c.Adopt, pod)
		}
	}
	return c
}

// claimPods returns the Job's Pods, after adoptions and releases, by name.
func (r *Reconciler) claimPods(ctx context.Context, job *batchv1.Job, owned []*corev1.Pod) ([]*corev1.Pod, error) {
	selector, err := metav1.LabelSelectorAsSelector(job.Spec.Selector)
	if err != nil {
		return nil, fmt.Errorf("selector of Job %s/%s: %w", job.Namespace, job.Name, err)
	}
	orphans := engine.ByIndex[*corev1.Pod](r.view, engine.Pods, podIndex, orphanKey(job.Namespace, selectedUID(job)))
	c := claim(job, selector, owned, orphans)
	for _, pod := range c.Release {
		if err := r.release(ctx, job, pod); err != nil {
			return nil, err
		}
	}
	pods := c.Own
	for _, pod := range c.Adopt {
		adopted, err := r.adopt(ctx, job, pod)
		if err != nil {
			return nil, err
		}
		pods = append(pods, adopted...)
	}
	if len(c.Adopt) > 0 {
		slices.SortFunc(pods, func(a, b *corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	}
	return pods, nil
}

// adopt returns the Pod as it is now, or nothing if it is gone. A reference to the
// Job that it has already becomes the controller's.
func (r *Reconciler) adopt(ctx context.Context, job *batchv1.Job, pod *corev1.Pod) ([]*corev1.Pod, error) {
	pod = pod.DeepCopy()
	ref := *metav1.NewControllerRef(job, batchv1.SchemeGroupVersion.WithKind("Job"))
	if i := slices.IndexFunc(pod.OwnerReferences, func(old metav1.OwnerReference) bool { return old.UID == job.UID }); i >= 0 {
		pod.OwnerReferences[i] = ref
	} else {
		pod.OwnerReferences = append(pod.OwnerReferences, ref)
	}
	if !hasFinalizer(pod) {
		pod.Finalizers = append(pod.Finalizers, batchv1.JobTrackingFinalizer)
	}
	obj, err := r.api.Update(ctx, r.who, engine.Pods, "", pod)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return []*corev1.Pod{obj.(*corev1.Pod)}, nil
}

func (r *Reconciler) release(ctx context.Context, job *batchv1.Job, pod *corev1.Pod) error {
	pod = pod.DeepCopy()
	pod.OwnerReferences = slices.DeleteFunc(pod.OwnerReferences, func(ref metav1.OwnerReference) bool { return ref.UID == job.UID })
	pod.Finalizers = withoutFinalizer(pod)
	_, err := r.api.Update(ctx, r.who, engine.Pods, "", pod)
	if apierrors.IsNotFound(err) || apierrors.IsInvalid(err) {
		return nil
	}
	return err
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
