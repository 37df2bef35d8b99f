package servicecidrs

import (
	"net/netip"
	"slices"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	networkinglisters "k8s.io/client-go/listers/networking/v1"
	"k8s.io/kubernetes/pkg/api/servicecidr"
)

// These are upstream's finalizer and messages, and its wait before the finalizer is
// removed, so that every API server has heard of the deletion. Source: pkg/controller/servicecidrs v1.37.2.
const (
	finalizer   = "networking.k8s.io/service-cidr-finalizer"
	ready       = "Kubernetes Service CIDR is ready"
	needed      = "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR"
	gracePeriod = 10 * time.Second
)

// plan is what is to be written of a ServiceCIDR, and when to look again.
type plan struct {
	// Finalizers are the new ones, nil if they stay.
	Finalizers *[]string
	// Condition is the new one, nil if it is there.
	Condition *metav1.Condition
	WakeAt    time.Time
}

// decide returns what to do about s at now. all are the ServiceCIDRs there are, and
// addresses the IPAddresses. Upstream: Controller.sync.
func decide(s *networkingv1.ServiceCIDR, all lister, addresses []*networkingv1.IPAddress, now time.Time) plan {
	finalized := slices.Contains(s.Finalizers, finalizer)
	if s.DeletionTimestamp == nil {
		p := plan{Condition: changed(s, metav1.Condition{
			Type: networkingv1.ServiceCIDRConditionReady, Status: metav1.ConditionTrue, Message: ready, LastTransitionTime: metav1.NewTime(now),
		})}
		if !finalized {
			more := append(slices.Clone(s.Finalizers), finalizer)
			p.Finalizers = &more
		}
		return p
	}
	if !deletable(s, all, addresses) {
		return plan{Condition: changed(s, metav1.Condition{
			Type: networkingv1.ServiceCIDRConditionReady, Status: metav1.ConditionFalse, Reason: networkingv1.ServiceCIDRReasonTerminating,
			Message: needed, LastTransitionTime: metav1.NewTime(now),
		})}
	}
	at := s.DeletionTimestamp.Add(gracePeriod)
	switch {
	case now.Before(at):
		return plan{WakeAt: at}
	case !finalized:
		return plan{}
	}
	fewer := slices.DeleteFunc(slices.Clone(s.Finalizers), func(f string) bool { return f == finalizer })
	return plan{Finalizers: &fewer}
}

// deletable reports whether no address would be left without a range. Upstream:
// Controller.canDeleteCIDR.
func deletable(s *networkingv1.ServiceCIDR, all lister, addresses []*networkingv1.IPAddress) bool {
	contained := true
	for _, cidr := range s.Spec.CIDRs {
		if prefix, err := netip.ParsePrefix(cidr); err == nil { // the API has checked it
			if isOnly(s, servicecidr.ContainsPrefix(all, prefix)) {
				contained = false
			}
		}
	}
	return contained || !slices.ContainsFunc(addresses, func(o *networkingv1.IPAddress) bool {
		of := containing(all, o.Name)
		return managed(o) && len(of) > 0 && isOnly(s, of)
	})
}

// isOnly reports whether there is none in list but s.
func isOnly(s *networkingv1.ServiceCIDR, list []*networkingv1.ServiceCIDR) bool {
	return len(list) == 0 || len(list) == 1 && list[0].Name == s.Name
}

// changed returns c, or nil if s has it.
func changed(s *networkingv1.ServiceCIDR, c metav1.Condition) *metav1.Condition {
	old := meta.FindStatusCondition(s.Status.Conditions, c.Type)
	if old != nil && old.Status == c.Status && old.Reason == c.Reason && old.Message == c.Message {
		return nil
	}
	return &c
}

// with returns a copy of s with c in the place of the condition of its type.
func with(s *networkingv1.ServiceCIDR, c metav1.Condition) *networkingv1.ServiceCIDR {
	next := s.DeepCopy()
	meta.RemoveStatusCondition(&next.Status.Conditions, c.Type)
	next.Status.Conditions = append(next.Status.Conditions, c)
	return next
}

// lister is what upstream's functions look ServiceCIDRs up in.
type lister []*networkingv1.ServiceCIDR

var _ networkinglisters.ServiceCIDRLister = lister(nil)

// List implements networkinglisters.ServiceCIDRLister.
func (l lister) List(selector labels.Selector) ([]*networkingv1.ServiceCIDR, error) {
	var out []*networkingv1.ServiceCIDR
	for _, s := range l {
		if selector.Matches(labels.Set(s.Labels)) {
			out = append(out, s)
		}
	}
	return out, nil
}

// Get implements networkinglisters.ServiceCIDRLister.
func (l lister) Get(name string) (*networkingv1.ServiceCIDR, error) {
	if at := slices.IndexFunc(l, func(s *networkingv1.ServiceCIDR) bool { return s.Name == name }); at >= 0 {
		return l[at], nil
	}
	return nil, apierrors.NewNotFound(networkingv1.Resource("servicecidrs"), name)
}
