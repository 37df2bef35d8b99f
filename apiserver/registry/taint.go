package registry

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/kubernetes/pkg/apis/resource"
	"k8s.io/utils/ptr"
)

// stampTaints puts virtual time on the taints of devices that carry none. Upstream's
// defaults put the wall clock there. apis/resource/install takes these defaults away.
func (s Stamper) stampTaints(obj runtime.Object) {
	switch o := obj.(type) {
	case *resource.DeviceTaintRule:
		s.stampTaint(&o.Spec.Taint)
	case *resource.ResourceSlice:
		for i := range o.Spec.Devices {
			for j := range o.Spec.Devices[i].Taints {
				s.stampTaint(&o.Spec.Devices[i].Taints[j])
			}
		}
	}
}

func (s Stamper) stampTaint(t *resource.DeviceTaint) {
	if t.TimeAdded == nil {
		t.TimeAdded = ptr.To(s.now())
	}
}

// taintStrategy overrides PrepareForUpdate of DeviceTaintRules and ResourceSlices.
type taintStrategy struct {
	rest.RESTUpdateStrategy
	stamper Stamper
}

// PrepareForUpdate implements rest.RESTUpdateStrategy. If the effect of a rule changes,
// and its time does not, upstream's strategy sets the latter to the wall clock.
func (t taintStrategy) PrepareForUpdate(ctx context.Context, obj, old runtime.Object) {
	t.stamper.stampTaints(obj)
	at, changes := effectChanges(obj, old, t.stamper.now())
	t.RESTUpdateStrategy.PrepareForUpdate(ctx, obj, old)
	if changes {
		obj.(*resource.DeviceTaintRule).Spec.Taint.TimeAdded = &at
	}
}

func effectChanges(obj, old runtime.Object, now metav1.Time) (metav1.Time, bool) {
	rule, ok := obj.(*resource.DeviceTaintRule)
	before, was := old.(*resource.DeviceTaintRule)
	if !ok || !was {
		return metav1.Time{}, false
	}
	after, earlier := rule.Spec.Taint, before.Spec.Taint
	return now, after.Effect != earlier.Effect && after.TimeAdded.Equal(earlier.TimeAdded)
}

// declarativeTaintStrategy keeps visible that the strategy validates declaratively.
type declarativeTaintStrategy struct {
	taintStrategy
	rest.DeclarativeValidationStrategy
}

// taintUpdates wraps the update strategy of the resources that have taints of devices.
func (s Stamper) taintUpdates(obj runtime.Object, inner rest.RESTUpdateStrategy) rest.RESTUpdateStrategy {
	switch obj.(type) {
	case *resource.DeviceTaintRule, *resource.ResourceSlice:
	default:
		return inner
	}
	stamped := taintStrategy{RESTUpdateStrategy: inner, stamper: s}
	if declarative, ok := inner.(rest.DeclarativeValidationStrategy); ok {
		return declarativeTaintStrategy{taintStrategy: stamped, DeclarativeValidationStrategy: declarative}
	}
	return stamped
}
