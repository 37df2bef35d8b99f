package controllers_test

import (
	"context"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// end is how a Pod's container ends: after a while, with an exit code.
type end struct {
	after time.Duration
	code  int32
}

// kubelet is driven by hand: script says how each Pod ends.
type kubelet struct {
	view   *engine.View
	api    *fakeAPI
	script func(pod *corev1.Pod, nth int) end
	seen   map[types.UID]int
}

func newKubelet(e *engine.Engine, api *fakeAPI, script func(*corev1.Pod, int) end) *kubelet {
	e.View().Track(engine.Pods)
	return &kubelet{view: e.View(), api: api, script: script, seen: map[types.UID]int{}}
}

func (k *kubelet) Name() string { return "kubelet" }

func (k *kubelet) Observe(c engine.Commit) []engine.Key {
	pod, ok := c.Object.(*corev1.Pod)
	if !ok || pod.Spec.NodeName == "" || c.Type == watch.Deleted {
		return nil
	}
	return []engine.Key{{Controller: "kubelet", Namespace: pod.Namespace, Name: pod.Name}}
}

func (k *kubelet) Reconcile(ctx context.Context, key engine.Key, now time.Time) (engine.Wake, error) {
	pod, ok := engine.Get[*corev1.Pod](k.view, engine.Pods, key.Namespace, key.Name)
	if !ok {
		return engine.Wake{}, nil
	}
	if _, ok := k.seen[pod.UID]; !ok {
		k.seen[pod.UID] = len(k.seen)
	}
	if pod.DeletionTimestamp != nil && (pod.DeletionGracePeriodSeconds == nil || *pod.DeletionGracePeriodSeconds > 0) {
		zero := int64(0)
		err := k.api.Delete(ctx, client, engine.Pods, types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name},
			metav1.DeleteOptions{GracePeriodSeconds: &zero})
		return engine.Wake{}, ignoreNotFound(err)
	}
	how := k.script(pod, k.seen[pod.UID])
	switch pod.Status.Phase {
	case corev1.PodPending:
		return engine.Wake{}, k.write(ctx, pod, now, corev1.PodRunning, nil)
	case corev1.PodRunning:
		if at := pod.Status.StartTime.Add(how.after); at.After(now) {
			return engine.Progress(at), nil
		}
		phase := corev1.PodSucceeded
		if how.code != 0 {
			phase = corev1.PodFailed
		}
		return engine.Wake{}, k.write(ctx, pod, now, phase, &corev1.ContainerStateTerminated{ExitCode: how.code, FinishedAt: metav1.NewTime(now)})
	}
	return engine.Wake{}, nil
}

func (k *kubelet) write(ctx context.Context, pod *corev1.Pod, now time.Time, phase corev1.PodPhase, end *corev1.ContainerStateTerminated) error {
	pod = pod.DeepCopy()
	pod.Status.Phase = phase
	at, ready := metav1.NewTime(now), corev1.ConditionFalse
	if phase == corev1.PodRunning {
		pod.Status.StartTime, ready = &at, corev1.ConditionTrue
	}
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: ready, LastTransitionTime: at}}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "c", State: corev1.ContainerState{Terminated: end}}}
	_, err := k.api.Update(ctx, client, engine.Pods, "status", pod)
	return ignoreNotFound(err)
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// always ends every Pod alike.
func always(after time.Duration, code int32) func(*corev1.Pod, int) end {
	return func(*corev1.Pod, int) end { return end{after, code} }
}

// byIndex ends a Pod by its completion index.
func byIndex(ends func(index int) end) func(*corev1.Pod, int) end {
	return func(pod *corev1.Pod, _ int) end {
		ix, _ := strconv.Atoi(pod.Annotations["batch.kubernetes.io/job-completion-index"])
		return ends(ix)
	}
}
