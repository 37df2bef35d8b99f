package job

import (
	"maps"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/workload"
)

// orphanKind is the Kind of the keys of Pods that no Job controls but that still have
// the tracking finalizer.
const orphanKind = "pods"

func isJob(ref *metav1.OwnerReference) bool { return workload.IsOf(ref, kind()) }

func kind() schema.GroupVersionKind { return batchv1.SchemeGroupVersion.WithKind("Job") }

// Batch implements engine.Batcher. What this controller did itself, the removal
// of the finalizer, is taken up at once: upstream does that in the same sync. So
// is a finalizer that is no longer needed. If a Job's status only says which Pods
// were refused, the controller does not try again at once.
func (r *Reconciler) Batch(c engine.Commit) time.Duration {
	if old, ok := c.Old.(*batchv1.Job); ok && old.Generation == c.Object.GetGeneration() && r.refused(c.Object) {
		return r.rules.BatchPeriod
	}
	pod, ok := c.Object.(*corev1.Pod)
	if !ok || hasFinalizer(pod) && metav1.GetControllerOfNoCopy(pod) == nil {
		return 0
	}
	if old, ok := c.Old.(*corev1.Pod); ok && hasFinalizer(old) && !hasFinalizer(pod) {
		return 0
	}
	return r.rules.BatchPeriod
}

// Observe implements engine.Reconciler.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	switch c.Resource {
	case engine.Jobs:
		recordJob(c.Type, c.Object.(*batchv1.Job))
		return []engine.Key{jobKey(c.Object.GetNamespace(), c.Object.GetName())}
	case engine.Pods:
		old, _ := c.Old.(*corev1.Pod)
		recordPod(c.Type, old, c.Object.(*corev1.Pod))
		return r.podKeys(old, c.Object.(*corev1.Pod), c.Type == watch.Deleted)
	case engine.ResourceQuotas, engine.LimitRanges, engine.ServiceAccounts:
		if workload.MayAllowMore(c) {
			return r.failingKeys(c.Object.GetNamespace())
		}
	}
	return nil
}

// refused reports whether the API last refused Pods of the Job.
func (r *Reconciler) refused(job engine.Object) bool {
	return r.Notes[types.NamespacedName{Namespace: job.GetNamespace(), Name: job.GetName()}].CreationFailures > 0
}

func jobKey(namespace, name string) engine.Key {
	return engine.Key{Controller: Name, Namespace: namespace, Name: name}
}

func (r *Reconciler) podKeys(old, pod *corev1.Pod, deleted bool) []engine.Key {
	var keys []engine.Key
	ref := metav1.GetControllerOfNoCopy(pod)
	var oldRef *metav1.OwnerReference
	if old != nil {
		oldRef = metav1.GetControllerOfNoCopy(old)
	}
	if oldRef != nil && r.controls(pod.Namespace, oldRef) && (ref == nil || ref.UID != oldRef.UID) {
		keys = append(keys, jobKey(pod.Namespace, oldRef.Name))
	}
	switch {
	case ref != nil && isJob(ref):
		if old == nil || deleted || oldRef == nil || matters(old, pod) {
			keys = append(keys, jobKey(pod.Namespace, ref.Name))
		}
	case ref == nil && !deleted:
		keys = append(keys, r.orphanKeys(old, pod)...)
	}
	return keys
}

// controls reports whether ref is to a Job that is there.
func (r *Reconciler) controls(namespace string, ref *metav1.OwnerReference) bool {
	job, found := engine.Get[*batchv1.Job](r.view, engine.Jobs, namespace, ref.Name)
	return found && isJob(ref) && job.UID == ref.UID
}

// orphanKeys returns the Jobs that could adopt pod, and a key of its own if it
// has a finalizer to lose.
func (r *Reconciler) orphanKeys(old, pod *corev1.Pod) []engine.Key {
	var keys []engine.Key
	if old == nil || !maps.Equal(old.Labels, pod.Labels) || metav1.GetControllerOfNoCopy(old) != nil {
		for _, job := range r.candidates(pod) {
			keys = append(keys, jobKey(job.Namespace, job.Name))
		}
	}
	if hasFinalizer(pod) {
		keys = append(keys, engine.Key{Controller: Name, Kind: orphanKind, Namespace: pod.Namespace, Name: pod.Name})
	}
	return keys
}

// failingKeys returns the Jobs in namespace whose Pods the API last refused.
//
// Deviation: upstream waits for its next try, a minute at most; mode auto would not
// move time for that.
func (r *Reconciler) failingKeys(namespace string) []engine.Key {
	var keys []engine.Key
	for _, name := range slices.SortedFunc(maps.Keys(r.Notes), compareNames) {
		if name.Namespace == namespace && r.Notes[name].CreationFailures > 0 {
			keys = append(keys, jobKey(name.Namespace, name.Name))
		}
	}
	return keys
}

// matters reports whether a Pod's change can change its Job's plan. A Pod
// changes several times between its creation and its end, mostly in ways that
// no Job looks at.
func matters(old, pod *corev1.Pod) bool {
	return old.Status.Phase != pod.Status.Phase ||
		pod.DeletionTimestamp != nil ||
		pod.Status.Phase == corev1.PodFailed ||
		podutil.IsPodReady(old) != podutil.IsPodReady(pod) ||
		restarts(old) != restarts(pod) ||
		hasFinalizer(old) != hasFinalizer(pod) ||
		completionIndex(old) != completionIndex(pod) ||
		!maps.Equal(old.Labels, pod.Labels)
}

// restarts returns how often the Pod's containers were restarted altogether.
func restarts(pod *corev1.Pod) int32 {
	var n int32
	for i := range pod.Status.InitContainerStatuses {
		n += pod.Status.InitContainerStatuses[i].RestartCount
	}
	for i := range pod.Status.ContainerStatuses {
		n += pod.Status.ContainerStatuses[i].RestartCount
	}
	return n
}
