// Package ipallocator puts right what is wrong between Services and their IPAddresses.
//
// Invariant: each cluster IP of a Service has an IPAddress that refers to the Service, and
// each IPAddress that the API server has made is one of a Service, or younger than a
// minute.
//
// It follows RepairIPAddress, k8s.io/kubernetes
// pkg/registry/core/service/ipallocator/controller v1.37.2.
//
// Deviation: it acts at the earliest instant at which upstream could, which looks at
// everything every three minutes and tells each time what it cannot put right.
package ipallocator

import (
	"context"
	"net"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/kubernetes/pkg/apis/core/v1/helper"
	"k8s.io/kubernetes/pkg/registry/core/service/ipallocator"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Name is the reconciler's name in the queue and in the event log. Component is who tells
// the Events.
const (
	Name      = "ipallocator"
	Component = "ipallocator-repair-controller"
)

// ofAddress is the Kind of the keys of IPAddresses; those of Services have none.
const ofAddress = "ipaddresses"

// byIP is an index of Services.
const byIP = "ipallocator/ip"

// Reconciler reconciles Services and IPAddresses.
type Reconciler struct {
	engine.Host
	who engine.Identity
}

var _ engine.Reconciler = (*Reconciler)(nil)

// Identity is the user that writes: the API server itself.
func Identity() engine.Identity {
	return engine.Identity{User: "system:apiserver", Groups: []string{"system:masters"}}
}

// New returns a Reconciler. It must be called before the engine starts.
func New(host engine.Host) (*Reconciler, error) {
	if err := host.ValidateTeller(Name); err != nil {
		return nil, err
	}
	host.View.Track(engine.IPAddresses, engine.ServiceCIDRs)
	host.View.Index(engine.Services, byIP, func(o engine.Object) []string { return addresses(o.(*corev1.Service)) })
	return &Reconciler{Host: host, who: Identity()}, nil
}

// addresses are the cluster IPs of a Service; a headless one has none.
func addresses(s *corev1.Service) []string {
	if !helper.IsServiceIPSet(s) {
		return nil
	}
	return s.Spec.ClusterIPs
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

// Observe implements engine.Reconciler. A Service whose addresses are right needs no step.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	var keys []engine.Key
	switch o := c.Object.(type) {
	case *corev1.Service:
		if c.Type != watch.Deleted && len(r.look(o)) > 0 {
			keys = append(keys, engine.Key{Controller: Name, Namespace: o.Namespace, Name: o.Name})
		}
		if old, ok := c.Old.(*corev1.Service); ok {
			for _, ip := range addresses(old) {
				if c.Type == watch.Deleted || len(addresses(o)) == 0 {
					keys = append(keys, engine.Key{Controller: Name, Kind: ofAddress, Name: ip})
				}
			}
		}
	case *networkingv1.IPAddress:
		for _, s := range engine.ByIndex[*corev1.Service](r.View, engine.Services, byIP, o.Name) {
			if len(r.look(s)) > 0 {
				keys = append(keys, engine.Key{Controller: Name, Namespace: s.Namespace, Name: s.Name})
			}
		}
		if c.Type != watch.Deleted && managed(o) {
			keys = append(keys, engine.Key{Controller: Name, Kind: ofAddress, Name: o.Name})
		}
	case *networkingv1.ServiceCIDR:
		keys = r.stray(c, o)
	}
	return keys
}

// stray are the Services that have lost the range of their address.
func (r *Reconciler) stray(c engine.Commit, o *networkingv1.ServiceCIDR) []engine.Key {
	if c.Type != watch.Deleted {
		return nil
	}
	var keys []engine.Key
	for _, s := range engine.List[*corev1.Service](r.View, engine.Services, "") {
		for _, ip := range addresses(s) {
			if inRange(net.ParseIP(ip), o) && len(r.look(s)) > 0 {
				keys = append(keys, engine.Key{Controller: Name, Namespace: s.Namespace, Name: s.Name})
			}
		}
	}
	return keys
}

// look returns what is wrong with the addresses of a Service.
func (r *Reconciler) look(s *corev1.Service) []repair {
	var out []repair
	ranges := engine.List[*networkingv1.ServiceCIDR](r.View, engine.ServiceCIDRs, "")
	for _, ip := range addresses(s) {
		address, _ := engine.Get[*networkingv1.IPAddress](r.View, engine.IPAddresses, "", ip)
		var referred *corev1.Service
		if ref := parent(address); ref != nil {
			referred, _ = engine.Get[*corev1.Service](r.View, engine.Services, ref.Namespace, ref.Name)
		}
		if fix, wrong := decide(s, ip, ranges, address, referred); wrong {
			out = append(out, fix)
		}
	}
	return out
}

// parent is what an IPAddress refers to, nil without one.
func parent(o *networkingv1.IPAddress) *networkingv1.ParentReference {
	if o == nil {
		return nil
	}
	return o.Spec.ParentRef
}

// Reconcile implements engine.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, now time.Time) (engine.Wake, error) {
	if key.Kind == ofAddress {
		return r.reconcileAddress(ctx, key.Name, now)
	}
	s, ok := engine.Get[*corev1.Service](r.View, engine.Services, key.Namespace, key.Name)
	if !ok {
		return engine.Wake{}, nil
	}
	for _, fix := range r.look(s) {
		if err := r.repair(ctx, s, fix); err != nil {
			return engine.Wake{}, err
		}
	}
	return engine.Wake{}, nil
}

// repair carries out one.
func (r *Reconciler) repair(ctx context.Context, s *corev1.Service, fix repair) error {
	if fix.Reason != "" {
		r.Recorder.Event(ctx, engine.Reference(s, "v1", "Service"), corev1.EventTypeWarning, fix.Reason, "%s", fix.Message)
	}
	if fix.Delete {
		if err := r.remove(ctx, fix.IP); err != nil {
			return err
		}
	}
	if !fix.Create {
		return nil
	}
	_, err := r.API.Create(ctx, r.who, engine.IPAddresses, &networkingv1.IPAddress{
		ObjectMeta: metav1.ObjectMeta{Name: fix.IP, Labels: map[string]string{
			networkingv1.LabelIPAddressFamily: string(family(fix.IP)), networkingv1.LabelManagedBy: ipallocator.ControllerName,
		}},
		Spec: networkingv1.IPAddressSpec{ParentRef: &networkingv1.ParentReference{Resource: "services", Namespace: s.Namespace, Name: s.Name}},
	})
	return err
}

func (r *Reconciler) remove(ctx context.Context, ip string) error {
	err := r.API.Delete(ctx, r.who, engine.IPAddresses, types.NamespacedName{Name: ip}, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// reconcileAddress is upstream's syncIPAddress.
//
// The wake is recurring: nobody waits for what has leaked to be cleaned up.
func (r *Reconciler) reconcileAddress(ctx context.Context, ip string, now time.Time) (engine.Wake, error) {
	address, ok := engine.Get[*networkingv1.IPAddress](r.View, engine.IPAddresses, "", ip)
	if !ok || !managed(address) {
		return engine.Wake{}, nil
	}
	var of *corev1.Service
	if ref := parent(address); ref != nil {
		of, _ = engine.Get[*corev1.Service](r.View, engine.Services, ref.Namespace, ref.Name)
	}
	v := judge(address, of, now)
	if v.Reason == "" {
		return engine.Cleanup(v.WakeAt), nil
	}
	r.Recorder.Event(ctx, engine.Reference(address, networkingv1.SchemeGroupVersion.String(), "IPAddress"), corev1.EventTypeWarning, v.Reason, "%s", v.Message)
	return engine.Wake{}, r.remove(ctx, ip)
}
