package registry

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/kubernetes/pkg/printers"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim"
	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
)

// NewPodScripts returns the resource podscripts and its status.
func NewPodScripts(getter generic.RESTOptionsGetter) (*Own, *OwnStatus, error) {
	return newOwn(getter, kind[v1alpha1.PodScriptSpec, v1alpha1.PodScriptStatus]{
		singular: "podscript", plural: "podscripts", shortNames: []string{"ps"},
		new:     func() runtime.Object { return &sim.PodScript{} },
		newList: func() runtime.Object { return &sim.PodScriptList{} },
		parts: func(obj runtime.Object) (*metav1.ObjectMeta, *v1alpha1.PodScriptSpec, *v1alpha1.PodScriptStatus) {
			s := obj.(*sim.PodScript)
			return &s.ObjectMeta, &s.Spec, &s.Status
		},
		validate: func(obj runtime.Object) field.ErrorList {
			return v1alpha1.ValidatePodScript(obj.(*sim.PodScript).External())
		},
		validateUpdate: func(obj, old runtime.Object) field.ErrorList {
			return v1alpha1.ValidatePodScriptUpdate(obj.(*sim.PodScript).External(), old.(*sim.PodScript).External())
		},
		print: printPodScripts,
	})
}

// printPodScripts defines what `kubectl get podscripts` prints.
func printPodScripts(h printers.PrintHandler) {
	rows(h, []metav1.TableColumnDefinition{
		{Name: "Name", Type: "string", Format: "name", Description: metav1.ObjectMeta{}.SwaggerDoc()["name"]},
		{Name: "Matches", Type: "integer", Description: "Pods that there are that the script has run."},
		{Name: "Active", Type: "integer", Description: "Those of them that have not finished."},
		{Name: "Last Match", Type: "string", Description: "How long ago the newest Pod that the script has run was started."},
		{Name: "Age", Type: "string", Description: metav1.ObjectMeta{}.SwaggerDoc()["creationTimestamp"]},
	}, func(s *sim.PodScript) []any {
		return []any{s.Name, int64(s.Status.Matches), int64(s.Status.Active), ageOr(s.Status.LastMatchTime), age(s.CreationTimestamp)}
	}, func(l *sim.PodScriptList) []sim.PodScript { return l.Items })
}
