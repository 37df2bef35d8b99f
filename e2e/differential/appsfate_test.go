package differential

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	registry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/utils/ptr"
)

// lookAtApps describes what keeps Pods running, and what belongs to it.
func (u *user) lookAtApps(ctx context.Context) (lines []string, err error) {
	o := metav1.ListOptions{}
	apps, core := u.client.AppsV1(), u.client.CoreV1()
	if u.w.ReplicationController != nil {
		list, err := core.ReplicationControllers(u.namespace).List(ctx, o)
		if err != nil {
			return nil, err
		}
		for i := range list.Items {
			lines = append(lines, u.controllerFate(&list.Items[i]))
		}
	}
	deployments, err := apps.Deployments(u.namespace).List(ctx, o)
	if err != nil {
		return nil, err
	}
	for i := range deployments.Items {
		lines = append(lines, u.deploymentFate(&deployments.Items[i]))
	}
	sets, err := apps.ReplicaSets(u.namespace).List(ctx, o)
	if err != nil {
		return nil, err
	}
	for i := range sets.Items {
		lines = append(lines, u.replicaSetFate(&sets.Items[i]))
	}
	if u.w.StatefulSet != nil || u.w.DaemonSet != nil {
		more, err := u.lookAtRevisions(ctx)
		if err != nil {
			return nil, err
		}
		lines = append(lines, more...)
	}
	budgets, err := u.client.PolicyV1().PodDisruptionBudgets(u.namespace).List(ctx, o)
	if err != nil {
		return nil, err
	}
	for i := range budgets.Items {
		lines = append(lines, u.budgetFate(&budgets.Items[i]))
	}
	return lines, nil
}

// lookAtRevisions describes what has ControllerRevisions.
func (u *user) lookAtRevisions(ctx context.Context) (lines []string, err error) {
	o := metav1.ListOptions{}
	list, err := u.client.AppsV1().StatefulSets(u.namespace).List(ctx, o)
	if err != nil {
		return nil, err
	}
	for i := range list.Items {
		lines = append(lines, u.statefulSetFate(&list.Items[i]))
	}
	daemons, err := u.client.AppsV1().DaemonSets(u.namespace).List(ctx, o)
	if err != nil {
		return nil, err
	}
	for i := range daemons.Items {
		lines = append(lines, u.daemonSetFate(&daemons.Items[i]))
	}
	revisions, err := u.client.AppsV1().ControllerRevisions(u.namespace).List(ctx, o)
	if err != nil {
		return nil, err
	}
	for i := range revisions.Items {
		r := &revisions.Items[i]
		lines = append(lines, fmt.Sprintf("ControllerRevision %s %d%s labels %q annotations %q data %s",
			u.meta(&r.ObjectMeta), r.Revision, owners(r.OwnerReferences), values(r.Labels), values(r.Annotations), r.Data.Raw))
	}
	claims, err := u.client.CoreV1().PersistentVolumeClaims(u.namespace).List(ctx, o)
	if err != nil {
		return nil, err
	}
	for i := range claims.Items {
		c := &claims.Items[i]
		lines = append(lines, fmt.Sprintf("PersistentVolumeClaim %s %s%s labels %q", u.meta(&c.ObjectMeta), c.Status.Phase, owners(c.OwnerReferences), values(c.Labels)))
	}
	return lines, nil
}

// meta describes what all objects have.
func (u *user) meta(m *metav1.ObjectMeta) string {
	return fmt.Sprintf("%s created %s deleted %s finalizers %q", m.Name, u.since(&m.CreationTimestamp), u.since(m.DeletionTimestamp), m.Finalizers)
}

func owners(refs []metav1.OwnerReference) string {
	var b strings.Builder
	for _, o := range refs {
		fmt.Fprintf(&b, " of %s %s %t %t", o.Kind, anonymous(o.Name), ptr.Deref(o.Controller, false), ptr.Deref(o.BlockOwnerDeletion, false))
	}
	return b.String()
}

func amounts(of ...int32) string { return strings.Trim(fmt.Sprint(of), "[]") }

func (u *user) condition(kind any, status corev1.ConditionStatus, since *metav1.Time, reason, message string) string {
	return fmt.Sprintf("\n  %v=%s %s %s: %s", kind, status, u.since(since), reason, anonymous(message))
}

func (u *user) controllerFate(c *corev1.ReplicationController) string {
	s := &c.Status
	text := fmt.Sprintf("ReplicationController %s: %d wanted; all, labeled, ready, available: %s; observed %t annotations %q",
		u.meta(&c.ObjectMeta), ptr.Deref(c.Spec.Replicas, -1), amounts(s.Replicas, s.FullyLabeledReplicas, s.ReadyReplicas, s.AvailableReplicas),
		s.ObservedGeneration == c.Generation, values(c.Annotations))
	for _, d := range s.Conditions {
		text += u.condition(d.Type, d.Status, &d.LastTransitionTime, d.Reason, d.Message)
	}
	return text
}

func (u *user) replicaSetFate(r *appsv1.ReplicaSet) string {
	s := &r.Status
	text := fmt.Sprintf("ReplicaSet %s: %d wanted; all, labeled, ready, available, terminating: %s; observed %t annotations %q labels %q%s",
		u.meta(&r.ObjectMeta), ptr.Deref(r.Spec.Replicas, -1),
		amounts(s.Replicas, s.FullyLabeledReplicas, s.ReadyReplicas, s.AvailableReplicas, ptr.Deref(s.TerminatingReplicas, -1)),
		s.ObservedGeneration == r.Generation, values(r.Annotations), values(r.Labels), owners(r.OwnerReferences))
	for _, d := range s.Conditions {
		text += u.condition(d.Type, d.Status, &d.LastTransitionTime, d.Reason, d.Message)
	}
	return text
}

func (u *user) deploymentFate(d *appsv1.Deployment) string {
	s := &d.Status
	text := fmt.Sprintf("Deployment %s: %d wanted; all, updated, ready, available, unavailable, terminating, collisions: %s; observed %t annotations %q",
		u.meta(&d.ObjectMeta), ptr.Deref(d.Spec.Replicas, -1),
		amounts(s.Replicas, s.UpdatedReplicas, s.ReadyReplicas, s.AvailableReplicas, s.UnavailableReplicas, ptr.Deref(s.TerminatingReplicas, -1), ptr.Deref(s.CollisionCount, -1)),
		s.ObservedGeneration == d.Generation, values(d.Annotations))
	for _, c := range s.Conditions {
		text += u.condition(c.Type, c.Status, &c.LastTransitionTime, c.Reason, c.Message) + " updated " + u.since(&c.LastUpdateTime)
	}
	return text
}

func (u *user) statefulSetFate(d *appsv1.StatefulSet) string {
	s := &d.Status
	text := fmt.Sprintf("StatefulSet %s: %d wanted; all, current, updated, ready, available, collisions: %s; from %s to %s; observed %t annotations %q",
		u.meta(&d.ObjectMeta), ptr.Deref(d.Spec.Replicas, -1),
		amounts(s.Replicas, s.CurrentReplicas, s.UpdatedReplicas, s.ReadyReplicas, s.AvailableReplicas, ptr.Deref(s.CollisionCount, -1)),
		s.CurrentRevision, s.UpdateRevision, s.ObservedGeneration == d.Generation, values(d.Annotations))
	for _, c := range s.Conditions {
		text += u.condition(c.Type, c.Status, &c.LastTransitionTime, c.Reason, c.Message)
	}
	return text
}

func (u *user) daemonSetFate(d *appsv1.DaemonSet) string {
	s := &d.Status
	text := fmt.Sprintf("DaemonSet %s: wanted, there, elsewhere, updated, ready, available, unavailable, collisions: %s; observed %t annotations %q",
		u.meta(&d.ObjectMeta),
		amounts(s.DesiredNumberScheduled, s.CurrentNumberScheduled, s.NumberMisscheduled, s.UpdatedNumberScheduled, s.NumberReady, s.NumberAvailable, s.NumberUnavailable, ptr.Deref(s.CollisionCount, -1)),
		s.ObservedGeneration == d.Generation, values(d.Annotations))
	for _, c := range s.Conditions {
		text += u.condition(c.Type, c.Status, &c.LastTransitionTime, c.Reason, c.Message)
	}
	return text
}

func (u *user) budgetFate(b *policyv1.PodDisruptionBudget) string {
	s := &b.Status
	text := fmt.Sprintf("PodDisruptionBudget %s: allowed, healthy, wanted, expected: %s; disrupted %d observed %t",
		u.meta(&b.ObjectMeta), amounts(s.DisruptionsAllowed, s.CurrentHealthy, s.DesiredHealthy, s.ExpectedPods), len(s.DisruptedPods), s.ObservedGeneration == b.Generation)
	for _, c := range s.Conditions {
		text += u.condition(c.Type, corev1.ConditionStatus(c.Status), &c.LastTransitionTime, c.Reason, c.Message)
	}
	return text
}

// tellers are the controllers whose Events are compared.
func tellers() []string {
	return []string{"job-controller", "replicaset-controller", "replication-controller", "deployment-controller", "statefulset-controller", "daemonset-controller"}
}

// tells reports whether an Event is compared: not what upstream tells of its own caches,
// which lag behind. If a claim is bound while its owner is written, that takes the place of
// what is told of its Pod.
func (u *user) tells(e *corev1.Event) bool {
	claims := u.w.StatefulSet != nil && len(u.w.StatefulSet.Spec.VolumeClaimTemplates) > 0
	return slices.Contains(tellers(), e.Source.Component) && !strings.Contains(e.Message, registry.OptimisticLockErrorMsg) &&
		!(claims && strings.HasPrefix(e.Message, "Create Pod"))
}
