package namespace

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
	"k8s.io/utils/ptr"

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
	// WakeAt is when Pods that should be gone by then are reported.
	WakeAt time.Time
}

// decide returns the next step for ns, which holds all: first its Pods go, then
// what else there is, then it goes itself. Where objects are still on their way
// out, the step is to wait and to say so in the status.
func decide(ns *corev1.Namespace, all []content, now time.Time) plan {
	if ns.DeletionTimestamp == nil || len(ns.Spec.Finalizers) == 0 {
		return plan{}
	}
	pods := slices.IndexFunc(all, func(c content) bool { return c.Resource == engine.Pods && len(c.Objects) > 0 })
	if pods >= 0 {
		all = all[pods : pods+1]
	}
	p := plan{Delete: deletable(all)}
	if len(p.Delete) > 0 {
		p.Status = changed(ns, terminating(ns))
		return p
	}
	if remaining := slices.ContainsFunc(all, func(c content) bool { return len(c.Objects) > 0 }); !remaining {
		for _, c := range all {
			if c.Unknown {
				p.Delete = append(p.Delete, c.Resource)
			}
		}
		p.Finalize = slices.Contains(ns.Spec.Finalizers, corev1.FinalizerKubernetes)
	}
	totals, failures := all, []string(nil)
	if pods >= 0 {
		// While Pods remain, upstream's conditions do not count them.
		totals = nil
		if at, ok := overdueAt(ns, all[0].Objects); ok && now.Before(at) {
			p.WakeAt = at
		} else if ok {
			failures = []string{fmt.Sprintf("unexpected items still remain in namespace: %s for gvr: %s", ns.Name, corev1.SchemeGroupVersion.WithResource("pods"))}
		}
	}
	status := terminating(ns)
	setConditions(status, totals, failures, now)
	p.Status = changed(ns, status)
	return p
}

// deletable returns the resources of which some objects are not on their way out yet.
func deletable(all []content) []engine.Resource {
	var out []engine.Resource
	for _, c := range all {
		if slices.ContainsFunc(c.Objects, func(o engine.Object) bool { return o.GetDeletionTimestamp() == nil }) {
			out = append(out, c.Resource)
		}
	}
	return out
}

// overdueAt returns when Pods that go should be gone, false if something else
// than their end holds one. Upstream takes the longest of their grace periods and
// looks again after half of it and a second; the second time it is over.
// Source: estimateGracefulTermination, k8s.io/kubernetes
// pkg/controller/namespace/deletion v1.37.2, and worker, pkg/controller/namespace.
func overdueAt(ns *corev1.Namespace, pods []engine.Object) (time.Time, bool) {
	grace := int64(0)
	for _, obj := range pods {
		if len(obj.GetFinalizers()) > 0 {
			return time.Time{}, false
		}
		pod, ok := obj.(*corev1.Pod)
		if ok && !podutil.IsPodTerminal(pod) {
			grace = max(grace, ptr.Deref(pod.Spec.TerminationGracePeriodSeconds, 0))
		}
	}
	return engine.After(ns.DeletionTimestamp.Time, engine.Seconds(grace/2*2+2)), true
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
