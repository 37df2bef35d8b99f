package namespace

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// setConditions writes the five conditions of a Namespace that is being
// deleted, in upstream's order and words.
// Source: namespaceConditionUpdater, k8s.io/kubernetes
// pkg/controller/namespace/deletion v1.37.2.
//
// Deviation: discovery and group versions cannot fail in process.
func setConditions(status *corev1.NamespaceStatus, all []content, failures []string, now time.Time) {
	set(status, now, corev1.NamespaceDeletionDiscoveryFailure, "ResourcesDiscovered", "All resources successfully discovered", nil)
	set(status, now, corev1.NamespaceDeletionGVParsingFailure, "ParsedGroupVersions", "All legacy kube types successfully parsed", nil)
	set(status, now, corev1.NamespaceDeletionContentFailure, "ContentDeleted", "All content successfully deleted, may be waiting on finalization", failedDeletions(failures))
	set(status, now, corev1.NamespaceContentRemaining, "ContentRemoved", "All content successfully removed", remainingResources(all))
	set(status, now, corev1.NamespaceFinalizersRemaining, "ContentHasNoFinalizers", "All content-preserving finalizers finished", remainingFinalizers(all))
}

// problem is why a condition is True.
type problem struct {
	reason, message string
}

func failedDeletions(failures []string) *problem {
	if len(failures) == 0 {
		return nil
	}
	return &problem{"ContentDeletionFailed", fmt.Sprintf("Failed to delete all resource types, %d remaining: %s",
		len(failures), strings.Join(slices.Sorted(slices.Values(failures)), ", "))}
}

func remainingResources(all []content) *problem {
	var parts []string
	for _, c := range all {
		if len(c.Objects) > 0 {
			gr := c.Resource.GroupResource()
			parts = append(parts, fmt.Sprintf("%s.%s has %d resource instances", gr.Resource, gr.Group, len(c.Objects)))
		}
	}
	if len(parts) == 0 {
		return nil
	}
	slices.Sort(parts)
	return &problem{"SomeResourcesRemain", "Some resources are remaining: " + strings.Join(parts, ", ")}
}

func remainingFinalizers(all []content) *problem {
	counts := map[string]int{}
	for _, c := range all {
		for _, obj := range c.Objects {
			for _, f := range obj.GetFinalizers() {
				counts[f]++
			}
		}
	}
	if len(counts) == 0 {
		return nil
	}
	var parts []string
	for _, f := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s in %d resource instances", f, counts[f]))
	}
	return &problem{"SomeFinalizersRemain", "Some content in the namespace has finalizers remaining: " + strings.Join(parts, ", ")}
}

// set writes one condition: True with the problem's words, else False with
// those given.
func set(status *corev1.NamespaceStatus, now time.Time, t corev1.NamespaceConditionType, reason, message string, p *problem) {
	c := corev1.NamespaceCondition{Type: t, Status: corev1.ConditionFalse, Reason: reason, Message: message, LastTransitionTime: metav1.NewTime(now)}
	if p != nil {
		c.Status, c.Reason, c.Message = corev1.ConditionTrue, p.reason, p.message
	}
	at := slices.IndexFunc(status.Conditions, func(have corev1.NamespaceCondition) bool { return have.Type == t })
	if at < 0 {
		status.Conditions = append(status.Conditions, c)
		return
	}
	if have := status.Conditions[at]; have.Status == c.Status {
		c.LastTransitionTime = have.LastTransitionTime
	}
	status.Conditions[at] = c
}
