package disruption

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	pdbhelper "k8s.io/component-helpers/apps/poddisruptionbudget"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// deletionTimeout is how long an evicted Pod counts as disrupted before it is
// deleted. Unit: virtual time. Source: DeletionTimeout in k8s.io/kubernetes
// pkg/controller/disruption v1.37.2.
const deletionTimeout = 2 * time.Minute

// plan is what to do about one budget.
type plan struct {
	// Status is what to write; nil for nothing.
	Status *policyv1.PodDisruptionBudgetStatus
	Events []event
	WakeAt time.Time
}

// event is about Pod, or about the budget if that is nil.
type event struct {
	Pod                   *corev1.Pod
	Type, Reason, Message string
}

// decide reads nothing but its arguments. Source: DisruptionController.trySync,
// k8s.io/kubernetes pkg/controller/disruption v1.37.2.
func decide(pdb *policyv1.PodDisruptionBudget, pods []*corev1.Pod, by controllers, now time.Time) plan {
	var p plan
	if len(pods) == 0 {
		p.Events = append(p.Events, event{Type: corev1.EventTypeNormal, Reason: "NoPods", Message: "No matching pods found"})
	}
	n, err := expect(pdb, pods, by)
	if err != nil {
		p.Events = append(p.Events, event{Type: corev1.EventTypeWarning, Reason: "CalculateExpectedPodCountFailed",
			Message: fmt.Sprintf("Failed to calculate the number of expected pods: %v", err)})
		p.Status = failed(pdb, err, now)
		return p
	}
	if n.Unmanaged {
		p.Events = append(p.Events, event{Type: corev1.EventTypeWarning, Reason: "UnmanagedPods",
			Message: fmt.Sprintf("Pods selected by this PodDisruptionBudget (selector: %v) were found "+
				"to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. "+
				"To account for these pods please set \".spec.minAvailable\" "+
				"field of the PDB to an integer value.", pdb.Spec.Selector)})
	}
	disrupted, late, wake := stillDisrupted(pdb, pods, now)
	for _, pod := range late {
		// Upstream names the namespace twice.
		p.Events = append(p.Events, event{Pod: pod, Type: corev1.EventTypeWarning, Reason: "NotDeleted",
			Message: fmt.Sprintf("Pod was expected by PDB %s/%s to be deleted but it wasn't", pdb.Namespace, pdb.Namespace)})
	}
	p.WakeAt = wake
	p.Status = updated(pdb, n, countHealthy(pods, disrupted), disrupted, now)
	return p
}

// expected is what a budget asks for.
type expected struct {
	Pods, Healthy int32
	// Unmanaged: some Pods have no controller, although its scale counts.
	Unmanaged bool
}

// expect is getExpectedPodCount, k8s.io/kubernetes pkg/controller/disruption v1.37.2.
func expect(pdb *policyv1.PodDisruptionBudget, pods []*corev1.Pod, by controllers) (expected, error) {
	spec := pdb.Spec
	switch {
	case spec.MaxUnavailable != nil:
		scale, unmanaged, err := expectedScale(pods, by)
		if err != nil {
			return expected{}, err
		}
		maxUnavailable, err := intstr.GetScaledValueFromIntOrPercent(spec.MaxUnavailable, int(scale), true)
		return expected{Pods: scale, Healthy: max(scale-int32(maxUnavailable), 0), Unmanaged: unmanaged}, err
	case spec.MinAvailable != nil && spec.MinAvailable.Type == intstr.Int:
		return expected{Pods: int32(len(pods)), Healthy: spec.MinAvailable.IntVal}, nil
	case spec.MinAvailable != nil:
		scale, unmanaged, err := expectedScale(pods, by)
		if err != nil {
			return expected{}, err
		}
		minAvailable, err := intstr.GetScaledValueFromIntOrPercent(spec.MinAvailable, int(scale), true)
		return expected{Pods: scale, Healthy: int32(minAvailable), Unmanaged: unmanaged}, err
	}
	return expected{}, nil
}

// controllers are what a budget knows of those that its Pods may have.
type controllers struct {
	// Kinds finds what the API server serves of a kind.
	Kinds func(schema.GroupVersionKind) (engine.Resource, bool)
	// Scales are keyed by the UID of the controller that has the scale.
	Scales map[types.UID]scale
}

// scale is how many Pods a controller asks for. The scale of a Deployment's ReplicaSets is
// that of the Deployment.
type scale struct {
	of    types.UID
	asked int32
}

// expectedScale is getExpectedScale, k8s.io/kubernetes pkg/controller/disruption v1.37.2:
// how many Pods the controllers of these ask for. A Pod whose controller has no scale is an
// error, one of a Job too, as on a real cluster.
func expectedScale(pods []*corev1.Pod, by controllers) (total int32, unmanaged bool, err error) {
	counted := map[types.UID]bool{}
	for _, pod := range pods {
		ref := metav1.GetControllerOf(pod)
		if ref == nil {
			unmanaged = true
			continue
		}
		found, ok := by.Scales[ref.UID]
		if !ok {
			return 0, false, by.noScale(ref, pod)
		}
		if !counted[found.of] {
			total += found.asked
		}
		counted[found.of] = true
	}
	return total, unmanaged, nil
}

// noScale says why the controller of a Pod has none.
func (by controllers) noScale(ref *metav1.OwnerReference, pod *corev1.Pod) error {
	gv, err := schema.ParseGroupVersion(ref.APIVersion)
	if err != nil {
		return err
	}
	kind := gv.WithKind(ref.Kind)
	resource, served := by.Kinds(kind)
	switch {
	case !served:
		return &meta.NoKindMatchError{GroupKind: kind.GroupKind(), SearchedVersions: []string{gv.Version}}
	case slices.Contains(scaled(), resource): // it is gone
		return fmt.Errorf("found no controllers for pod %q", pod.Name)
	}
	return fmt.Errorf("%s does not implement the scale subresource", resource)
}

// scaled are the resources that have a scale.
func scaled() []engine.Resource {
	return []engine.Resource{engine.ReplicationControllers, engine.ReplicaSets, engine.Deployments, engine.StatefulSets}
}

// stillDisrupted is buildDisruptedPodMap, k8s.io/kubernetes pkg/controller/disruption
// v1.37.2: of the Pods that were evicted those that are still to be deleted; those that
// should have been by now; and when the next one should have been.
//
// The list has names only. A StatefulSet's Pod that is created again has the same name: it
// was not there yet when the other was evicted, and upstream has mostly seen the instant
// between the two.
func stillDisrupted(pdb *policyv1.PodDisruptionBudget, pods []*corev1.Pod, now time.Time) (still map[string]metav1.Time, late []*corev1.Pod, wake time.Time) {
	still = map[string]metav1.Time{}
	for _, pod := range pods {
		evicted, found := pdb.Status.DisruptedPods[pod.Name]
		if pod.DeletionTimestamp != nil || !found || !pod.CreationTimestamp.Before(&evicted) {
			continue
		}
		due := evicted.Add(deletionTimeout)
		if !now.Before(due) {
			late = append(late, pod)
			continue
		}
		still[pod.Name] = evicted
		if wake.IsZero() || due.Before(wake) {
			wake = due
		}
	}
	return still, late, wake
}

func countHealthy(pods []*corev1.Pod, disrupted map[string]metav1.Time) int32 {
	healthy := int32(0)
	for _, pod := range pods {
		if _, leaving := disrupted[pod.Name]; pod.DeletionTimestamp == nil && !leaving && podutil.IsPodReady(pod) {
			healthy++
		}
	}
	return healthy
}

// updated is updatePdbStatus, k8s.io/kubernetes pkg/controller/disruption v1.37.2; nil if
// nothing has changed.
func updated(pdb *policyv1.PodDisruptionBudget, n expected, healthy int32, disrupted map[string]metav1.Time, now time.Time) *policyv1.PodDisruptionBudgetStatus {
	allowed := max(healthy-n.Healthy, 0)
	if n.Pods <= 0 {
		// A budget's first Pods must not be evicted before they are counted.
		allowed = 0
	}
	next := pdb.DeepCopy()
	next.Status = policyv1.PodDisruptionBudgetStatus{
		CurrentHealthy: healthy, DesiredHealthy: n.Healthy, ExpectedPods: n.Pods,
		DisruptionsAllowed: allowed, DisruptedPods: disrupted,
		ObservedGeneration: pdb.Generation, Conditions: next.Status.Conditions,
	}
	if apiequality.Semantic.DeepEqual(pdb.Status, next.Status) && pdbhelper.ConditionsAreUpToDate(pdb) {
		return nil
	}
	pdbhelper.UpdateDisruptionAllowedCondition(next)
	stamp(next.Status.Conditions, pdb.Status.Conditions, now)
	return &next.Status
}

// failed is failSafe, k8s.io/kubernetes pkg/controller/disruption v1.37.2; nil if nothing
// has changed.
func failed(pdb *policyv1.PodDisruptionBudget, err error, now time.Time) *policyv1.PodDisruptionBudgetStatus {
	next := pdb.Status.DeepCopy()
	next.DisruptionsAllowed = 0
	meta.SetStatusCondition(&next.Conditions, metav1.Condition{
		Type: policyv1.DisruptionAllowedCondition, Status: metav1.ConditionFalse,
		Reason: policyv1.SyncFailedReason, Message: err.Error(),
		ObservedGeneration: next.ObservedGeneration,
	})
	stamp(next.Conditions, pdb.Status.Conditions, now)
	if apiequality.Semantic.DeepEqual(&pdb.Status, next) {
		return nil
	}
	return next
}

// stamp puts virtual time where SetStatusCondition has read the wall clock.
func stamp(conditions, before []metav1.Condition, now time.Time) {
	for i := range conditions {
		c := &conditions[i]
		old := meta.FindStatusCondition(before, c.Type)
		if old == nil || old.Status != c.Status {
			c.LastTransitionTime = metav1.NewTime(now)
		}
	}
}
