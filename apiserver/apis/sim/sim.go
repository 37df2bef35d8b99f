// Package sim holds the types of group sim.kubesim.dev as the API server has them
// in memory: those of v1alpha1 under names of their own.
//
// Upstream's machinery reads and writes an internal version, and sets the kind and
// version of an object where it converts it in place. A type of its own makes that a
// copy of the object's first level, so that what the store shares is not written to.
package sim

import (
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

// Resource returns a resource of the group.
func Resource(name string) schema.GroupResource {
	return schema.GroupResource{Group: v1alpha1.GroupName, Resource: name}
}

// AddToScheme registers the types and how they are converted.
func AddToScheme(scheme *runtime.Scheme) error {
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return err
	}
	scheme.AddKnownTypes(schema.GroupVersion{Group: v1alpha1.GroupName, Version: runtime.APIVersionInternal}, &PodScript{}, &PodScriptList{})
	for _, c := range []struct {
		a, b any
		f    conversion.ConversionFunc
	}{
		{(*PodScript)(nil), (*v1alpha1.PodScript)(nil), func(a, b any, _ conversion.Scope) error {
			*b.(*v1alpha1.PodScript) = v1alpha1.PodScript(*a.(*PodScript))
			return nil
		}},
		{(*v1alpha1.PodScript)(nil), (*PodScript)(nil), func(a, b any, _ conversion.Scope) error {
			*b.(*PodScript) = PodScript(*a.(*v1alpha1.PodScript))
			return nil
		}},
		{(*PodScriptList)(nil), (*v1alpha1.PodScriptList)(nil), func(a, b any, _ conversion.Scope) error {
			in, out := a.(*PodScriptList), b.(*v1alpha1.PodScriptList)
			out.ListMeta, out.Items = in.ListMeta, make([]v1alpha1.PodScript, len(in.Items))
			for i := range in.Items {
				out.Items[i] = v1alpha1.PodScript(in.Items[i])
			}
			return nil
		}},
		{(*v1alpha1.PodScriptList)(nil), (*PodScriptList)(nil), func(a, b any, _ conversion.Scope) error {
			in, out := a.(*v1alpha1.PodScriptList), b.(*PodScriptList)
			out.ListMeta, out.Items = in.ListMeta, make([]PodScript, len(in.Items))
			for i := range in.Items {
				out.Items[i] = PodScript(in.Items[i])
			}
			return nil
		}},
	} {
		if err := scheme.AddConversionFunc(c.a, c.b, c.f); err != nil {
			return err
		}
	}
	return nil
}
