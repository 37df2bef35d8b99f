// Package sim holds the types of group sim.kubesim.dev as the API server has them
// in memory: those of v1alpha1 under names of their own.
//
// Upstream's machinery reads and writes an internal version, and sets the kind and
// version of an object where it converts it in place. A type of its own makes that a
// copy of the object's first level, so that what the store shares is not written to.
package sim

import (
	"errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/conversion"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
)

// PodScript is a v1alpha1.PodScript.
type PodScript v1alpha1.PodScript

// External returns s in its external version, which shares its memory.
func (s *PodScript) External() *v1alpha1.PodScript { return (*v1alpha1.PodScript)(s) }

// DeepCopyObject implements runtime.Object.
func (s *PodScript) DeepCopyObject() runtime.Object { return (*PodScript)(s.External().DeepCopy()) }

// PodScriptList is a list of PodScripts.
type PodScriptList struct {
	metav1.TypeMeta
	metav1.ListMeta
	Items []PodScript
}

// DeepCopyObject implements runtime.Object.
func (l *PodScriptList) DeepCopyObject() runtime.Object {
	out := &PodScriptList{TypeMeta: l.TypeMeta, ListMeta: *l.ListMeta.DeepCopy()}
	for i := range l.Items {
		out.Items = append(out.Items, PodScript(*l.Items[i].External().DeepCopy()))
	}
	return out
}

// Fault is a v1alpha1.Fault.
type Fault v1alpha1.Fault

// External returns f in its external version, which shares its memory.
func (f *Fault) External() *v1alpha1.Fault { return (*v1alpha1.Fault)(f) }

// DeepCopyObject implements runtime.Object.
func (f *Fault) DeepCopyObject() runtime.Object { return (*Fault)(f.External().DeepCopy()) }

// FaultList is a list of Faults.
type FaultList struct {
	metav1.TypeMeta
	metav1.ListMeta
	Items []Fault
}

// DeepCopyObject implements runtime.Object.
func (l *FaultList) DeepCopyObject() runtime.Object {
	out := &FaultList{TypeMeta: l.TypeMeta, ListMeta: *l.ListMeta.DeepCopy()}
	for i := range l.Items {
		out.Items = append(out.Items, Fault(*l.Items[i].External().DeepCopy()))
	}
	return out
}

// Clock is a v1alpha1.Clock.
type Clock v1alpha1.Clock

// External returns c in its external version, which shares its memory.
func (c *Clock) External() *v1alpha1.Clock { return (*v1alpha1.Clock)(c) }

// DeepCopyObject implements runtime.Object.
func (c *Clock) DeepCopyObject() runtime.Object { return (*Clock)(c.External().DeepCopy()) }

// ClockList is a list of Clocks.
type ClockList struct {
	metav1.TypeMeta
	metav1.ListMeta
	Items []Clock
}

// DeepCopyObject implements runtime.Object.
func (l *ClockList) DeepCopyObject() runtime.Object {
	out := &ClockList{TypeMeta: l.TypeMeta, ListMeta: *l.ListMeta.DeepCopy()}
	for i := range l.Items {
		out.Items = append(out.Items, Clock(*l.Items[i].External().DeepCopy()))
	}
	return out
}

// Resource returns a resource of the group.
func Resource(name string) schema.GroupResource {
	return schema.GroupResource{Group: v1alpha1.GroupName, Resource: name}
}

// AddToScheme registers the types and how they are converted.
func AddToScheme(scheme *runtime.Scheme) error {
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return err
	}
	scheme.AddKnownTypes(schema.GroupVersion{Group: v1alpha1.GroupName, Version: runtime.APIVersionInternal},
		&PodScript{}, &PodScriptList{}, &Fault{}, &FaultList{}, &Clock{}, &ClockList{})
	return errors.Join(
		convert(scheme, func(in PodScript) v1alpha1.PodScript { return v1alpha1.PodScript(in) }, func(in v1alpha1.PodScript) PodScript { return PodScript(in) }),
		convert(scheme, func(in PodScriptList) v1alpha1.PodScriptList {
			return v1alpha1.PodScriptList{ListMeta: in.ListMeta, Items: each(in.Items, func(s PodScript) v1alpha1.PodScript { return v1alpha1.PodScript(s) })}
		}, func(in v1alpha1.PodScriptList) PodScriptList {
			return PodScriptList{ListMeta: in.ListMeta, Items: each(in.Items, func(s v1alpha1.PodScript) PodScript { return PodScript(s) })}
		}),
		convert(scheme, func(in Fault) v1alpha1.Fault { return v1alpha1.Fault(in) }, func(in v1alpha1.Fault) Fault { return Fault(in) }),
		convert(scheme, func(in FaultList) v1alpha1.FaultList {
			return v1alpha1.FaultList{ListMeta: in.ListMeta, Items: each(in.Items, func(f Fault) v1alpha1.Fault { return v1alpha1.Fault(f) })}
		}, func(in v1alpha1.FaultList) FaultList {
			return FaultList{ListMeta: in.ListMeta, Items: each(in.Items, func(f v1alpha1.Fault) Fault { return Fault(f) })}
		}),
		convert(scheme, func(in Clock) v1alpha1.Clock { return v1alpha1.Clock(in) }, func(in v1alpha1.Clock) Clock { return Clock(in) }),
		convert(scheme, func(in ClockList) v1alpha1.ClockList {
			return v1alpha1.ClockList{ListMeta: in.ListMeta, Items: each(in.Items, func(c Clock) v1alpha1.Clock { return v1alpha1.Clock(c) })}
		}, func(in v1alpha1.ClockList) ClockList {
			return ClockList{ListMeta: in.ListMeta, Items: each(in.Items, func(c v1alpha1.Clock) Clock { return Clock(c) })}
		}),
	)
}

// convert registers how an internal type becomes an external one, and back.
func convert[I, E any](scheme *runtime.Scheme, there func(I) E, back func(E) I) error {
	return errors.Join(
		scheme.AddConversionFunc((*I)(nil), (*E)(nil), func(a, b any, _ conversion.Scope) error {
			*b.(*E) = there(*a.(*I))
			return nil
		}),
		scheme.AddConversionFunc((*E)(nil), (*I)(nil), func(a, b any, _ conversion.Scope) error {
			*b.(*I) = back(*a.(*E))
			return nil
		}))
}

// each converts the items of a list, which is empty rather than nil.
func each[A, B any](in []A, f func(A) B) []B {
	out := make([]B, len(in))
	for i := range in {
		out[i] = f(in[i])
	}
	return out
}
