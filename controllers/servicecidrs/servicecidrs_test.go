package servicecidrs

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/pkg/registry/core/service/ipallocator"
)

func noon() time.Time { return time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC) }

func cidr(name, prefix string, edits ...func(*networkingv1.ServiceCIDR)) *networkingv1.ServiceCIDR {
	s := &networkingv1.ServiceCIDR{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: networkingv1.ServiceCIDRSpec{CIDRs: []string{prefix}}}
	for _, edit := range edits {
		edit(s)
	}
	return s
}

func finalized(s *networkingv1.ServiceCIDR) { s.Finalizers = []string{"other", finalizer} }

func deleted(s *networkingv1.ServiceCIDR) {
	at := metav1.NewTime(noon())
	s.DeletionTimestamp = &at
}

func said(c metav1.Condition) func(*networkingv1.ServiceCIDR) {
	return func(s *networkingv1.ServiceCIDR) { s.Status.Conditions = []metav1.Condition{c} }
}

func address(name string) *networkingv1.IPAddress {
	return &networkingv1.IPAddress{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{networkingv1.LabelManagedBy: ipallocator.ControllerName}}}
}

func TestDecide(t *testing.T) {
	isReady := metav1.Condition{Type: "Ready", Status: "True", Message: ready, LastTransitionTime: metav1.NewTime(noon())}
	isNeeded := metav1.Condition{Type: "Ready", Status: "False", Reason: "Terminating", Message: needed, LastTransitionTime: metav1.NewTime(noon())}
	list := func(names ...string) *[]string { return &names }
	reserved := address("10.1.0.7")
	reserved.Labels = nil
	for name, tc := range map[string]struct {
		s         *networkingv1.ServiceCIDR
		others    lister
		addresses []*networkingv1.IPAddress
		after     time.Duration
		want      plan
	}{
		"a new one gets its finalizer and is ready": {
			s: cidr("a", "10.1.0.0/24"), want: plan{Finalizers: list(finalizer), Condition: &isReady},
		},
		"one that is ready stays as it is": {s: cidr("a", "10.1.0.0/24", finalized, said(isReady))},
		"one that was blocked and is whole again": {
			s: cidr("a", "10.1.0.0/24", finalized, said(isNeeded)), want: plan{Condition: &isReady},
		},
		"one that is deleted waits for ten seconds": {
			s: cidr("a", "10.1.0.0/24", finalized, deleted), want: plan{WakeAt: noon().Add(10 * time.Second)},
		},
		"then it goes": {
			s: cidr("a", "10.1.0.0/24", finalized, deleted), after: 10 * time.Second, want: plan{Finalizers: list("other")},
		},
		"and is left alone": {s: cidr("a", "10.1.0.0/24", deleted), after: time.Minute},
		"an address keeps it": {
			s: cidr("a", "10.1.0.0/24", finalized, deleted), addresses: []*networkingv1.IPAddress{address("10.1.0.7")}, after: time.Hour,
			want: plan{Condition: &metav1.Condition{Type: "Ready", Status: "False", Reason: "Terminating", Message: needed, LastTransitionTime: metav1.NewTime(noon().Add(time.Hour))}},
		},
		"which it has said": {
			s: cidr("a", "10.1.0.0/24", finalized, deleted, said(isNeeded)), addresses: []*networkingv1.IPAddress{address("10.1.0.7")}, after: time.Hour,
		},
		"an address that a user has reserved does not": {
			s: cidr("a", "10.1.0.0/24", finalized, deleted), addresses: []*networkingv1.IPAddress{reserved}, after: time.Hour, want: plan{Finalizers: list("other")},
		},
		"nor one elsewhere": {
			s: cidr("a", "10.1.0.0/24", finalized, deleted), addresses: []*networkingv1.IPAddress{address("10.2.0.7")}, after: time.Hour, want: plan{Finalizers: list("other")},
		},
		"nor one that another has, too": {
			s: cidr("a", "10.1.0.0/24", finalized, deleted), others: lister{cidr("b", "10.1.0.0/28")},
			addresses: []*networkingv1.IPAddress{address("10.1.0.7")}, after: time.Hour, want: plan{Finalizers: list("other")},
		},
		"one within another goes": {
			s: cidr("a", "10.1.0.0/24", finalized, deleted), others: lister{cidr("b", "10.0.0.0/8")},
			addresses: []*networkingv1.IPAddress{address("10.1.0.7")}, after: time.Hour, want: plan{Finalizers: list("other")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, decide(tc.s, append(lister{tc.s}, tc.others...), tc.addresses, noon().Add(tc.after))); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}
