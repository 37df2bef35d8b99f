// Package servicecidrs says which ServiceCIDRs are ready, and lets them go when no
// Service needs them any more.
//
// Invariant: a ServiceCIDR keeps its finalizer as long as an address that the API server
// has given out is of it alone.
//
// It follows k8s.io/kubernetes pkg/controller/servicecidrs v1.37.2.
package servicecidrs

import (
	"context"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/kubernetes/pkg/api/servicecidr"
	"k8s.io/kubernetes/pkg/registry/core/service/ipallocator"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "servicecidrs"

// Reconciler reconciles ServiceCIDRs.
type Reconciler struct {
	engine.Host
	who engine.Identity
}

var _ engine.Reconciler = (*Reconciler)(nil)

// New returns a Reconciler. It must be called before the engine starts.
func New(host engine.Host) (*Reconciler, error) {
	if err := host.ValidateTeller(Name); err != nil {
		return nil, err
	}
	host.View.Track(engine.ServiceCIDRs, engine.IPAddresses)
	return &Reconciler{Host: host, who: engine.ControllerIdentity("service-cidrs-controller")}, nil
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

// all returns every ServiceCIDR.
func (r *Reconciler) all() lister {
	return engine.List[*networkingv1.ServiceCIDR](r.View, engine.ServiceCIDRs, "")
}

// Observe implements engine.Reconciler.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	var due []*networkingv1.ServiceCIDR
	switch o := c.Object.(type) {
	case *networkingv1.ServiceCIDR:
		if c.Type == watch.Deleted {
			return nil
		}
		due = append(due, o)
		if c.Type == watch.Added { // it may let others go
			due = append(due, overlapping(r.all(), o)...)
		}
	case *networkingv1.IPAddress:
		if c.Type == watch.Modified || !managed(o) {
			return nil
		}
		// An address matters only to those that are being deleted.
		due = slices.DeleteFunc(containing(r.all(), o.Name), func(s *networkingv1.ServiceCIDR) bool { return s.DeletionTimestamp == nil })
	}
	var keys []engine.Key
	for _, s := range due {
		if key := (engine.Key{Controller: Name, Name: s.Name}); !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// managed reports whether the API server keeps an IPAddress for a Service.
func managed(o *networkingv1.IPAddress) bool {
	return o.Labels[networkingv1.LabelManagedBy] == ipallocator.ControllerName
}

// overlapping returns the ServiceCIDRs that have addresses in common with s.
func overlapping(all lister, s *networkingv1.ServiceCIDR) []*networkingv1.ServiceCIDR {
	var out []*networkingv1.ServiceCIDR
	for _, cidr := range s.Spec.CIDRs {
		if prefix, err := netip.ParsePrefix(cidr); err == nil { // the API has checked it
			out = append(out, servicecidr.OverlapsPrefix(all, prefix)...)
		}
	}
	return out
}

// containing returns the ServiceCIDRs that an address is of.
func containing(all lister, name string) []*networkingv1.ServiceCIDR {
	address, err := netip.ParseAddr(name)
	if err != nil {
		return nil // the API has checked it
	}
	return servicecidr.ContainsAddress(all, address)
}

// Reconcile implements engine.Reconciler.
//
// The wake is work: whoever deletes a ServiceCIDR waits until it is gone.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, now time.Time) (engine.Wake, error) {
	s, ok := engine.Get[*networkingv1.ServiceCIDR](r.View, engine.ServiceCIDRs, "", key.Name)
	if !ok {
		return engine.Wake{}, nil
	}
	p := decide(s, r.all(), engine.List[*networkingv1.IPAddress](r.View, engine.IPAddresses, ""), now)
	return engine.Progress(p.WakeAt), r.apply(ctx, s, p)
}

// apply carries p out. It stops at the first error; decide then looks afresh.
func (r *Reconciler) apply(ctx context.Context, s *networkingv1.ServiceCIDR, p plan) error {
	if p.Finalizers != nil {
		next := s.DeepCopy()
		next.Finalizers = *p.Finalizers
		out, err := r.API.Update(ctx, r.who, engine.ServiceCIDRs, "", next)
		if err != nil {
			return ignoreNotFound(err)
		}
		s = out.(*networkingv1.ServiceCIDR)
	}
	if p.Condition == nil {
		return nil
	}
	_, err := r.API.Update(ctx, r.who, engine.ServiceCIDRs, "status", with(s, *p.Condition))
	if err != nil && p.Condition.Reason == "" && !apierrors.IsConflict(err) {
		r.Recorder.Event(ctx, engine.Reference(s, networkingv1.SchemeGroupVersion.String(), "ServiceCIDR"), corev1.EventTypeWarning,
			"KubernetesServiceCIDRError", "The ServiceCIDR Status can not be set to Ready=True")
	}
	return ignoreNotFound(err)
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
