package differential

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
)

// user plays a workload in a cluster.
type user struct {
	client    kubernetes.Interface
	w         *workload
	namespace string
	// pool is where the Pods run, on its node victim if they can.
	pool, victim string
}

// faultTaint is the key of the taint that some Pods tolerate.
const faultTaint = "fault"

// Verbs for a Job and for a CronJob. What is in a list twice is drawn twice as
// often.
var (
	jobVerbs = append([]string{
		"suspend", "resume", "resume", "parallelism", "elastic", "backoffLimit", "maxFailedIndexes", "deadline", "ttl",
		"delete", "create", "delete pods", "delete pod", "delete pod", "evict", "release", "forget", "finish",
	}, nodeVerbs...)
	cronJobVerbs = append([]string{
		"suspend", "resume", "schedule", "concurrencyPolicy", "history", "delete", "create", "delete pod", "delete job", "wait", "wait",
	}, nodeVerbs...)
	nodeVerbs = []string{"taint", "untaint", "unreachable", "reachable", "delete node", "drain", "uncordon"}
)

// harmsNodes reports whether the workload needs nodes of its own.
func (w *workload) harmsNodes() bool {
	return w.crowds() || slices.ContainsFunc(w.Steps, func(s step) bool { return slices.Contains(nodeVerbs, s.Verb) })
}

func (u *user) create(ctx context.Context) error {
	o := u.w.owner()
	u.place(&o.template.Spec)
	return u.served(o.resource).Post().Namespace(u.namespace).Resource(o.resource).Body(o.object).Do(ctx).Error()
}

// prepare makes the namespace with what is in it before the Job.
func (u *user) prepare(ctx context.Context) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: u.namespace}}
	if _, err := u.client.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
		return err
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	// Or its controller has been faster.
	_, _ = u.client.CoreV1().ServiceAccounts(u.namespace).Create(ctx, account, metav1.CreateOptions{})
	if u.w.Budget != nil {
		if _, err := u.client.PolicyV1().PodDisruptionBudgets(u.namespace).Create(ctx, u.w.Budget.DeepCopy(), metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	for _, pod := range u.w.Pods {
		pod := pod.DeepCopy()
		u.place(&pod.Spec)
		if _, err := u.client.CoreV1().Pods(u.namespace).Create(ctx, pod, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// act does one step.
func (u *user) act(ctx context.Context, s step) error {
	if u.w.isApp() {
		if known, err := u.actOnApp(ctx, s); known {
			return err
		}
	}
	n := int32(s.N)
	switch s.Verb {
	case "suspend":
		return u.patch(ctx, `{"spec":{"suspend":true}}`)
	case "resume":
		return u.patch(ctx, `{"spec":{"suspend":false}}`)
	case "parallelism", "backoffLimit", "maxFailedIndexes":
		return u.patch(ctx, fmt.Sprintf(`{"spec":{"%s":%d}}`, s.Verb, n))
	case "elastic":
		return u.patch(ctx, fmt.Sprintf(`{"spec":{"completions":%d,"parallelism":%d}}`, n, n))
	case "deadline":
		return u.patch(ctx, fmt.Sprintf(`{"spec":{"activeDeadlineSeconds":%d}}`, n))
	case "ttl":
		if n < 0 {
			return u.patch(ctx, `{"spec":{"ttlSecondsAfterFinished":null}}`)
		}
		return u.patch(ctx, fmt.Sprintf(`{"spec":{"ttlSecondsAfterFinished":%d}}`, n))
	case "schedule":
		return u.patch(ctx, fmt.Sprintf(`{"spec":{"schedule":%q}}`, s.Arg))
	case "concurrencyPolicy":
		return u.patch(ctx, fmt.Sprintf(`{"spec":{"concurrencyPolicy":%q}}`, s.Arg))
	case "history":
		return u.patch(ctx, fmt.Sprintf(`{"spec":{"successfulJobsHistoryLimit":%d,"failedJobsHistoryLimit":%d}}`, n, n))
	case "create":
		return u.create(ctx)
	case "delete":
		return u.delete(ctx, metav1.DeletionPropagation(s.Arg))
	case "delete job":
		return u.deleteYoungest(ctx)
	case "wait":
		return nil
	}
	if slices.Contains(nodeVerbs, s.Verb) {
		return u.harm(ctx, s.Verb)
	}
	return u.actOnPods(ctx, s)
}

// patch edits the workload's object.
func (u *user) patch(ctx context.Context, patch string) error {
	r := u.w.owner().resource
	return u.served(r).Patch(types.MergePatchType).Namespace(u.namespace).Resource(r).Name("w").Body([]byte(patch)).Do(ctx).Error()
}

func (u *user) delete(ctx context.Context, propagation metav1.DeletionPropagation) error {
	r := u.w.owner().resource
	o := &metav1.DeleteOptions{PropagationPolicy: &propagation}
	return u.served(r).Delete().Namespace(u.namespace).Resource(r).Name("w").Body(o).Do(ctx).Error()
}

// deleteYoungest deletes a CronJob's latest Job.
func (u *user) deleteYoungest(ctx context.Context) error {
	jobs, err := u.client.BatchV1().Jobs(u.namespace).List(ctx, metav1.ListOptions{})
	if err != nil || len(jobs.Items) == 0 {
		return err
	}
	last := slices.MaxFunc(jobs.Items, func(a, b batchv1.Job) int { return cmp.Compare(a.Name, b.Name) })
	o := metav1.DeleteOptions{PropagationPolicy: ptr.To(metav1.DeletePropagationBackground)}
	return u.client.BatchV1().Jobs(u.namespace).Delete(ctx, last.Name, o)
}

// pods are those of the workload, in an order that does not depend on their
// names.
func (u *user) pods(ctx context.Context) ([]corev1.Pod, error) {
	pods, err := u.client.CoreV1().Pods(u.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	pods.Items = slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool { return p.Name == "crowd" })
	key := func(p *corev1.Pod) string {
		return fmt.Sprintf("%s %t %s %s %s %s", p.Status.Phase, p.DeletionTimestamp != nil, p.Spec.Hostname, p.Annotations[batchv1.JobCompletionIndexAnnotation], p.GenerateName, p.CreationTimestamp.UTC())
	}
	slices.SortFunc(pods.Items, func(a, b corev1.Pod) int { return cmp.Compare(key(&a), key(&b)) })
	return pods.Items, nil
}

func (u *user) actOnPods(ctx context.Context, s step) error {
	pods, err := u.pods(ctx)
	if err != nil || len(pods) == 0 {
		return err
	}
	client := u.client.CoreV1().Pods(u.namespace)
	pod := &pods[s.N%len(pods)]
	patch := func(patch string) error {
		_, err := client.Patch(ctx, pod.Name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		return err
	}
	switch s.Verb {
	case "delete pods":
		return client.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{})
	case "delete pod":
		o := metav1.DeleteOptions{}
		if s.Arg == "0" {
			o.GracePeriodSeconds = ptr.To(int64(0))
		}
		return client.Delete(ctx, pod.Name, o)
	case "evict":
		return u.evict(ctx, pod)
	case "release":
		return patch(`{"metadata":{"labels":{"app":"other","batch.kubernetes.io/controller-uid":"other","controller-uid":"other"}}}`)
	case "forget":
		if pod.DeletionTimestamp != nil {
			return nil // see docs/fidelity.md
		}
		return patch(`{"metadata":{"ownerReferences":null}}`)
	case "finish":
		return patch(`{"metadata":{"finalizers":null}}`)
	}
	return fmt.Errorf("differential: no verb %q", s.Verb)
}

func (u *user) evict(ctx context.Context, pod *corev1.Pod) error {
	return u.client.CoreV1().Pods(u.namespace).EvictV1(ctx, &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace}})
}

// harm does something to the victim, or mends it.
func (u *user) harm(ctx context.Context, verb string) error {
	nodes := u.client.CoreV1().Nodes()
	patch := func(patch string) error {
		_, err := nodes.Patch(ctx, u.victim, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		return err
	}
	switch verb {
	case "taint":
		return patch(`{"spec":{"taints":[{"key":"` + faultTaint + `","effect":"NoExecute"}]}}`)
	case "untaint":
		return patch(`{"spec":{"taints":null}}`)
	case "unreachable":
		return patch(`{"metadata":{"annotations":{"sim.kubesim.dev/unreachable":"true"}}}`)
	case "reachable":
		return patch(`{"metadata":{"annotations":{"sim.kubesim.dev/unreachable":null}}}`)
	case "delete node":
		return nodes.Delete(ctx, u.victim, metav1.DeleteOptions{})
	case "uncordon":
		return patch(`{"spec":{"unschedulable":false}}`)
	}
	// Drain.
	if err := patch(`{"spec":{"unschedulable":true}}`); err != nil {
		return err
	}
	pods, err := u.pods(ctx)
	for i := range pods {
		if pods[i].Spec.NodeName == u.victim {
			err = errors.Join(err, u.evict(ctx, &pods[i]))
		}
	}
	return err
}
