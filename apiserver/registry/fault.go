package registry

import (
	"cmp"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/kubernetes/pkg/printers"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim"
	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
)

// NewFaults returns the resource faults and its status.
func NewFaults(getter generic.RESTOptionsGetter) (*Own, *OwnStatus, error) {
	return newOwn(getter, kind[v1alpha1.FaultSpec, v1alpha1.FaultStatus]{
		singular: "fault", plural: "faults",
		new:     func() runtime.Object { return &sim.Fault{} },
		newList: func() runtime.Object { return &sim.FaultList{} },
		parts: func(obj runtime.Object) (*metav1.ObjectMeta, *v1alpha1.FaultSpec, *v1alpha1.FaultStatus) {
			f := obj.(*sim.Fault)
			return &f.ObjectMeta, &f.Spec, &f.Status
		},
		validate: func(obj runtime.Object) field.ErrorList {
			return v1alpha1.ValidateFault(obj.(*sim.Fault).External())
		},
		validateUpdate: func(obj, old runtime.Object) field.ErrorList {
			return v1alpha1.ValidateFaultUpdate(obj.(*sim.Fault).External(), old.(*sim.Fault).External())
		},
		print: printFaults,
	})
}

// printFaults defines what `kubectl get faults` prints.
func printFaults(h printers.PrintHandler) {
	rows(h, []metav1.TableColumnDefinition{
		{Name: "Name", Type: "string", Format: "name", Description: metav1.ObjectMeta{}.SwaggerDoc()["name"]},
		{Name: "Type", Type: "string", Description: "What goes wrong."},
		{Name: "Target", Type: "string", Description: "The requests or nodes that are hit."},
		{Name: "State", Type: "string", Description: "Pending, Active or Ended."},
		{Name: "Hits", Type: "integer", Description: "How many requests or nodes have been hit."},
		{Name: "Last Hit", Type: "string", Description: "How long ago the last one was hit."},
		{Name: "Age", Type: "string", Description: metav1.ObjectMeta{}.SwaggerDoc()["creationTimestamp"]},
	}, func(f *sim.Fault) []any {
		state := string(f.Status.State)
		if state == "" {
			state = "<none>" // nothing looks at it: no controllers run here
		}
		return []any{f.Name, f.Spec.Effect(), target(&f.Spec), state, f.Status.Hits, ageOr(f.Status.LastHitTime), age(f.CreationTimestamp)}
	}, func(l *sim.FaultList) []sim.Fault { return l.Items })
}

// target summarizes what a Fault hits, as far as that fits into a column: the verbs,
// the resources, and the requesting users.
func target(s *v1alpha1.FaultSpec) string {
	if s.OfNodes() {
		return s.Nodes
	}
	m := s.Requests
	if m == nil {
		m = &v1alpha1.RequestMatch{}
	}
	all := func(list ...string) string {
		if len(list) == 0 {
			return "*"
		}
		return strings.Join(list, ",")
	}
	text := all(m.Resources...)
	if s.DropWatch == nil && s.Expire == nil {
		text = all(m.Verbs...) + " " + text
	}
	if m.Namespace != "" || m.Name != "" {
		text += " " + cmp.Or(m.Namespace, "*") + "/" + cmp.Or(m.Name, "*")
	}
	return text
}
