package differential

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	restclient "k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
)

// owner is the object that makes the workload's Pods.
type owner struct {
	resource string
	object   runtime.Object
	template *corev1.PodTemplateSpec
}

// owner returns a copy of the workload's object.
func (w *workload) owner() owner {
	switch {
	case w.Job != nil:
		o := w.Job.DeepCopy()
		return owner{"jobs", o, &o.Spec.Template}
	case w.CronJob != nil:
		o := w.CronJob.DeepCopy()
		return owner{"cronjobs", o, &o.Spec.JobTemplate.Spec.Template}
	case w.ReplicationController != nil:
		o := w.ReplicationController.DeepCopy()
		return owner{"replicationcontrollers", o, o.Spec.Template}
	case w.ReplicaSet != nil:
		o := w.ReplicaSet.DeepCopy()
		return owner{"replicasets", o, &o.Spec.Template}
	case w.Deployment != nil:
		o := w.Deployment.DeepCopy()
		return owner{"deployments", o, &o.Spec.Template}
	case w.DaemonSet != nil:
		o := w.DaemonSet.DeepCopy()
		return owner{"daemonsets", o, &o.Spec.Template}
	}
	o := w.StatefulSet.DeepCopy()
	return owner{"statefulsets", o, &o.Spec.Template}
}

// served is where the workload's object is.
func (u *user) served(resource string) restclient.Interface {
	switch resource {
	case "jobs", "cronjobs":
		return u.client.BatchV1().RESTClient()
	case "replicationcontrollers":
		return u.client.CoreV1().RESTClient()
	}
	return u.client.AppsV1().RESTClient()
}

// actOnApp does a step that only applications know; known is false if there is none.
func (u *user) actOnApp(ctx context.Context, s step) (known bool, err error) {
	if patch := appPatch(s); patch != "" {
		return true, u.merge(ctx, patch)
	}
	switch s.Verb {
	case "strategy":
		return true, u.merge(ctx, u.strategyPatch(s))
	case "undo":
		return true, u.undo(ctx)
	case "delete set":
		return true, u.deleteSet(ctx)
	case "delete claim":
		return true, u.deleteClaim(ctx, s.N)
	case "budget":
		return true, u.limit(ctx, s.N)
	case "crowd":
		return true, u.crowd(ctx)
	case "uncrowd":
		return true, u.client.CoreV1().Pods(u.namespace).Delete(ctx, "crowd", metav1.DeleteOptions{})
	}
	return false, nil
}

// merge edits the workload's object, as kubectl does, with a strategic merge patch.
func (u *user) merge(ctx context.Context, patch string) error {
	r := u.w.owner().resource
	return u.served(r).Patch(types.StrategicMergePatchType).Namespace(u.namespace).Resource(r).Name("w").Body([]byte(u.begun(patch))).Do(ctx).Error()
}

// begun tells a program when the workload begins.
func (u *user) begun(text string) string {
	return strings.ReplaceAll(text, "$BEGIN", fmt.Sprint(u.w.begins().Unix()))
}

// undo goes back to the template before, as `kubectl rollout undo` does.
func (u *user) undo(ctx context.Context) error {
	if u.w.Deployment == nil {
		revisions, err := u.client.AppsV1().ControllerRevisions(u.namespace).List(ctx, metav1.ListOptions{})
		if err != nil || len(revisions.Items) < 2 {
			return err
		}
		slices.SortFunc(revisions.Items, func(a, b appsv1.ControllerRevision) int { return cmp.Compare(b.Revision, a.Revision) })
		return u.merge(ctx, string(revisions.Items[1].Data.Raw))
	}
	sets, err := u.sets(ctx)
	if err != nil || len(sets) < 2 {
		return err
	}
	template := sets[1].Spec.Template
	delete(template.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	patch, err := json.Marshal([]map[string]any{{"op": "replace", "path": "/spec/template", "value": template}})
	if err != nil {
		return err
	}
	_, err = u.client.AppsV1().Deployments(u.namespace).Patch(ctx, "w", types.JSONPatchType, patch, metav1.PatchOptions{})
	return err
}

// sets are the ReplicaSets, the newest revision first.
func (u *user) sets(ctx context.Context) ([]appsv1.ReplicaSet, error) {
	sets, err := u.client.AppsV1().ReplicaSets(u.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	revision := func(rs *appsv1.ReplicaSet) int {
		n, _ := strconv.Atoi(rs.Annotations["deployment.kubernetes.io/revision"])
		return n
	}
	slices.SortFunc(sets.Items, func(a, b appsv1.ReplicaSet) int {
		return cmp.Or(revision(&b)-revision(&a), cmp.Compare(a.Name, b.Name))
	})
	return sets.Items, nil
}

// deleteSet deletes the newest ReplicaSet of a Deployment.
func (u *user) deleteSet(ctx context.Context) error {
	sets, err := u.sets(ctx)
	if err != nil || len(sets) == 0 {
		return err
	}
	o := metav1.DeleteOptions{PropagationPolicy: ptr.To(metav1.DeletePropagationBackground)}
	return u.client.AppsV1().ReplicaSets(u.namespace).Delete(ctx, sets[0].Name, o)
}

func (u *user) deleteClaim(ctx context.Context, n int) error {
	claims, err := u.client.CoreV1().PersistentVolumeClaims(u.namespace).List(ctx, metav1.ListOptions{})
	if err != nil || len(claims.Items) == 0 {
		return err
	}
	return u.client.CoreV1().PersistentVolumeClaims(u.namespace).Delete(ctx, claims.Items[n%len(claims.Items)].Name, metav1.DeleteOptions{})
}

// limit sets a budget.
func (u *user) limit(ctx context.Context, n int) error {
	budgets := u.client.PolicyV1().PodDisruptionBudgets(u.namespace)
	patch := fmt.Appendf(nil, `{"spec":{"minAvailable":null,"maxUnavailable":%d}}`, n)
	if _, err := budgets.Patch(ctx, "w", types.MergePatchType, patch, metav1.PatchOptions{}); err == nil {
		return nil
	}
	b := &policyv1.PodDisruptionBudget{TypeMeta: typeMeta("policy/v1", "PodDisruptionBudget"), ObjectMeta: metav1.ObjectMeta{Name: "w"}}
	b.Spec.Selector, b.Spec.MinAvailable = selector(), ptr.To(intstr.FromInt(n))
	_, err := budgets.Create(ctx, b, metav1.CreateOptions{})
	return err
}

// The victim has eight processors: those of the workload's Pods that run there find no
// place beside one that wants six and matters more.
const (
	podCPU   = "1"
	crowdCPU = "6"
)

// crowd lets a Pod of a higher priority want the victim.
func (u *user) crowd(ctx context.Context) error {
	class := &schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: u.namespace}, Value: 1000}
	_, _ = u.client.SchedulingV1().PriorityClasses().Create(ctx, class, metav1.CreateOptions{}) // or it is there
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "crowd"},
		Spec: corev1.PodSpec{
			PriorityClassName: u.namespace, TerminationGracePeriodSeconds: ptr.To(int64(0)),
			NodeSelector: map[string]string{"pool": u.pool, "victim": "true"},
			Containers: []corev1.Container{{
				Name: "c", Image: "busybox", Command: []string{"sleep", "infinity"},
				Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(crowdCPU)}},
			}},
		},
	}
	_, err := u.client.CoreV1().Pods(u.namespace).Create(ctx, pod, metav1.CreateOptions{})
	return err
}
