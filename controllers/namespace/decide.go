package namespace

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// content is what a Namespace holds of one resource.
type content struct {
	Resource engine.Resource
	Objects  []engine.Object
	// Unknown: the View does not hold the resource, there may be any number.
	Unknown bool
}

// plan is the next step of a deletion.
type plan struct {
	// Delete are the resources whose collection is to be deleted.
	Delete []engine.Resource
	// Status is the new status, nil to leave it.
	Status *corev1.NamespaceStatus
	// Finalize lets the Namespace go.
	Finalize bool
}

// decide returns the next step for ns, which holds all: first its Pods go, then
// what else there is, then it goes itself. Where objects are still on their way
// out, the step is to wait and to say so in the status.
func decide(ns *corev1.Namespace, all []content, now time.Time) plan {
	if ns.DeletionTimestamp == nil || !slices.Contains(ns.Spec.Finalizers, corev1.FinalizerKubernetes) {
		return plan{}
	}
	pods := slices.IndexFunc(all, func(c content) bool { return c.Resource == engine.Pods && len(c.Objects) > 0 })
	if pods >= 0 {
		all = all[pods : pods+1]
	}
	var p plan
	remaining := false
	for _, c := range all {
		if len(c.Objects) > 0 {
			remaining = true
			if slices.ContainsFunc(c.Objects, func(o engine.Object) bool { return o.GetDeletionTimestamp() == nil }) {
				p.Delete = append(p.Delete, c.Resource)
			}
		}
	}
	if len(p.Delete) > 0 {
		p.Status = changed(ns, terminating(ns))
		return p
	}
	if !remaining {
		for _, c := range all {
			if c.Unknown {
				p.Delete = append(p.Delete, c.Resource)
			}
		}
		p.Finalize = true
	}
	// While Pods remain, upstream's conditions do not mention them.
	totals := all
	if pods >= 0 {
		totals = nil
	}
	status := terminating(ns)
	setConditions(status, totals, now)
	p.Status = changed(ns, status)
	return p
}

func terminating(ns *corev1.Namespace) *corev1.NamespaceStatus {
	status := ns.Status.DeepCopy()
	status.Phase = corev1.NamespaceTerminating
	return status
}

// changed returns status if it differs from that of ns, else nil.
func changed(ns *corev1.Namespace, status *corev1.NamespaceStatus) *corev1.NamespaceStatus {
	if equality.Semantic.DeepEqual(&ns.Status, status) {
		return nil
	}
	return status
}
