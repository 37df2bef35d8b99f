package resourcequota

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Evaluator measures the objects of one resource. Upstream's evaluators are
// such, see Evaluator in k8s.io/apiserver pkg/quota/v1 v0.37.2.
type Evaluator interface {
	// GroupResource is the resource that it measures.
	GroupResource() schema.GroupResource
	// MatchingResources returns those of the names in a quota that it knows.
	MatchingResources(names []corev1.ResourceName) []corev1.ResourceName
	// MatchingScopes returns those of the selectors that match the object.
	MatchingScopes(obj runtime.Object, selectors []corev1.ScopedResourceSelectorRequirement) ([]corev1.ScopedResourceSelectorRequirement, error)
	// Usage returns what the object uses, whatever the scopes.
	Usage(obj runtime.Object) (corev1.ResourceList, error)
}

// plan is the status to write.
type plan struct {
	// Status is nil if the quota has the right one.
	Status *corev1.ResourceQuotaStatus
}

// decide returns the status of a quota whose namespace uses measured. A hard
// limit that nobody measures keeps the usage that somebody else may have
// written. Source: syncResourceQuota.
func decide(quota *corev1.ResourceQuota, measured corev1.ResourceList) plan {
	hard, used := quota.Spec.Hard.DeepCopy(), corev1.ResourceList{}
	for name := range hard {
		if quantity, ok := measured[name]; ok {
			used[name] = quantity
		} else if quantity, ok := quota.Status.Used[name]; ok {
			used[name] = quantity
		}
	}
	status := corev1.ResourceQuotaStatus{Hard: hard, Used: used}
	if apiequality.Semantic.DeepEqual(quota.Status, status) {
		return plan{}
	}
	return plan{Status: &status}
}

// lister returns the objects of e's resource in a namespace that may use
// something of names.
type lister func(e Evaluator, namespace string, names []corev1.ResourceName) []engine.Object

// measure sums up what the objects of the quota's namespace use. What an
// evaluator knows and nothing uses is zero; what cannot be measured is left
// out. Source: CalculateUsage, k8s.io/apiserver pkg/quota/v1, and
// CalculateUsageStats, pkg/quota/v1/generic v0.37.2.
func measure(quota *corev1.ResourceQuota, evaluators []Evaluator, list lister) (corev1.ResourceList, error) {
	total := corev1.ResourceList{}
	var errs []error
	for _, e := range evaluators {
		names := e.MatchingResources(hardNames(quota))
		if len(names) == 0 {
			continue
		}
		used, err := sum(quota, e, names, list(e, quota.Namespace, names))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		add(total, used)
	}
	return total, errors.Join(errs...)
}

// sum adds up what objects use of names.
func sum(quota *corev1.ResourceQuota, e Evaluator, names []corev1.ResourceName, objects []engine.Object) (corev1.ResourceList, error) {
	total := corev1.ResourceList{}
	for _, name := range names {
		total[name] = resource.Quantity{Format: resource.DecimalSI}
	}
	for _, obj := range objects {
		used, err := charge(quota, e, names, obj)
		if err != nil {
			return nil, fmt.Errorf("resourcequota: %s %s/%s: %w", e.GroupResource(), obj.GetNamespace(), obj.GetName(), err)
		}
		add(total, used)
	}
	return total, nil
}

// charge returns what obj uses of names: nothing if the quota's scopes leave
// it out.
func charge(quota *corev1.ResourceQuota, e Evaluator, names []corev1.ResourceName, obj engine.Object) (corev1.ResourceList, error) {
	if wanted := selectors(quota); len(wanted) > 0 {
		matched, err := e.MatchingScopes(obj, wanted)
		if err != nil || len(matched) < len(wanted) {
			return nil, err
		}
	}
	used, err := e.Usage(obj)
	if err != nil {
		return nil, err
	}
	out := corev1.ResourceList{}
	for _, name := range names {
		if quantity, ok := used[name]; ok && !quantity.IsZero() {
			out[name] = quantity
		}
	}
	return out, nil
}

// selectors are the quota's scopes in their two forms. Source:
// getScopeSelectorsFromQuota, k8s.io/apiserver pkg/quota/v1/generic v0.37.2.
func selectors(quota *corev1.ResourceQuota) []corev1.ScopedResourceSelectorRequirement {
	var out []corev1.ScopedResourceSelectorRequirement
	for _, scope := range quota.Spec.Scopes {
		out = append(out, corev1.ScopedResourceSelectorRequirement{ScopeName: scope, Operator: corev1.ScopeSelectorOpExists})
	}
	if quota.Spec.ScopeSelector != nil {
		out = append(out, quota.Spec.ScopeSelector.MatchExpressions...)
	}
	return out
}

func hardNames(quota *corev1.ResourceQuota) []corev1.ResourceName {
	return slices.Sorted(maps.Keys(quota.Spec.Hard))
}

// add adds the quantities of more to total.
func add(total, more corev1.ResourceList) {
	for name, quantity := range more {
		sum := total[name].DeepCopy()
		sum.Add(quantity)
		total[name] = sum
	}
}
