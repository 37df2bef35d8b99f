package registry

import (
	"context"
	"time"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/generic"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/storage/names"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/printers"
	printerstorage "k8s.io/kubernetes/pkg/printers/storage"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim"
	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
)

// PodScripts is the resource podscripts of group sim.kubesim.dev.
type PodScripts struct {
	*genericregistry.Store
}

// PodScriptStatus is its subresource status.
type PodScriptStatus struct {
	store *genericregistry.Store
}

// NewPodScripts returns the resource and its status.
func NewPodScripts(getter generic.RESTOptionsGetter) (*PodScripts, *PodScriptStatus, error) {
	strategy := podScriptStrategy{legacyscheme.Scheme, names.SimpleNameGenerator}
	store := &genericregistry.Store{
		NewFunc:                   func() runtime.Object { return &sim.PodScript{} },
		NewListFunc:               func() runtime.Object { return &sim.PodScriptList{} },
		DefaultQualifiedResource:  sim.Resource("podscripts"),
		SingularQualifiedResource: sim.Resource("podscript"),
		CreateStrategy:            strategy,
		UpdateStrategy:            strategy,
		DeleteStrategy:            strategy,
		ResetFieldsStrategy:       strategy,
		TableConvertor:            printerstorage.TableConvertor{TableGenerator: printers.NewTableGenerator().With(printPodScripts)},
	}
	if err := store.CompleteWithOptions(&generic.StoreOptions{RESTOptions: getter}); err != nil {
		return nil, nil, err
	}
	status := *store
	status.UpdateStrategy, status.ResetFieldsStrategy = podScriptStatusStrategy{strategy}, podScriptStatusStrategy{strategy}
	return &PodScripts{store}, &PodScriptStatus{&status}, nil
}

var _ rest.ShortNamesProvider = (*PodScripts)(nil)

// ShortNames implements rest.ShortNamesProvider.
func (*PodScripts) ShortNames() []string { return []string{"ps"} }

// New implements rest.Storage.
func (*PodScriptStatus) New() runtime.Object { return &sim.PodScript{} }

// Destroy implements rest.Storage: the store is the resource's.
func (*PodScriptStatus) Destroy() {}

// Get implements rest.Getter.
func (s *PodScriptStatus) Get(ctx context.Context, name string, options *metav1.GetOptions) (runtime.Object, error) {
	return s.store.Get(ctx, name, options)
}

// Update implements rest.Updater.
func (s *PodScriptStatus) Update(ctx context.Context, name string, info rest.UpdatedObjectInfo, create rest.ValidateObjectFunc,
	update rest.ValidateObjectUpdateFunc, _ bool, options *metav1.UpdateOptions) (runtime.Object, bool, error) {
	return s.store.Update(ctx, name, info, create, update, false, options)
}

// GetResetFields implements rest.ResetFieldsStrategy.
func (s *PodScriptStatus) GetResetFields() map[fieldpath.APIVersion]*fieldpath.Set {
	return s.store.GetResetFields()
}

// ConvertToTable implements rest.TableConvertor.
func (s *PodScriptStatus) ConvertToTable(ctx context.Context, obj, options runtime.Object) (*metav1.Table, error) {
	return s.store.ConvertToTable(ctx, obj, options)
}

// podScriptStrategy is what makes a PodScript more than stored bytes.
type podScriptStrategy struct {
	runtime.ObjectTyper
	names.NameGenerator
}

// NamespaceScoped implements rest.Scoper: a script may run Pods of any namespace,
// so it is the cluster's.
func (podScriptStrategy) NamespaceScoped() bool { return false }

// PrepareForCreate implements rest.RESTCreateStrategy.
func (podScriptStrategy) PrepareForCreate(_ context.Context, obj runtime.Object) {
	s := obj.(*sim.PodScript)
	s.Status, s.Generation = v1alpha1.PodScriptStatus{}, 1
}

// PrepareForUpdate implements rest.RESTUpdateStrategy.
func (podScriptStrategy) PrepareForUpdate(_ context.Context, obj, old runtime.Object) {
	s, before := obj.(*sim.PodScript), old.(*sim.PodScript)
	s.Status = before.Status
	if !apiequality.Semantic.DeepEqual(s.Spec, before.Spec) {
		s.Generation = before.Generation + 1
	}
}

// Validate implements rest.RESTCreateStrategy.
func (podScriptStrategy) Validate(_ context.Context, obj runtime.Object) field.ErrorList {
	return v1alpha1.ValidatePodScript(obj.(*sim.PodScript).External())
}

// ValidateUpdate implements rest.RESTUpdateStrategy.
func (podScriptStrategy) ValidateUpdate(_ context.Context, obj, old runtime.Object) field.ErrorList {
	return v1alpha1.ValidatePodScriptUpdate(obj.(*sim.PodScript).External(), old.(*sim.PodScript).External())
}

// Canonicalize implements rest.RESTCreateStrategy.
func (podScriptStrategy) Canonicalize(runtime.Object) {}

// AllowCreateOnUpdate implements rest.RESTUpdateStrategy.
func (podScriptStrategy) AllowCreateOnUpdate(context.Context) bool { return false }

// AllowUnconditionalUpdate implements rest.RESTUpdateStrategy.
func (podScriptStrategy) AllowUnconditionalUpdate(context.Context) bool { return true }

// WarningsOnCreate implements rest.RESTCreateStrategy.
func (podScriptStrategy) WarningsOnCreate(context.Context, runtime.Object) []string { return nil }

// WarningsOnUpdate implements rest.RESTUpdateStrategy.
func (podScriptStrategy) WarningsOnUpdate(context.Context, runtime.Object, runtime.Object) []string {
	return nil
}

// GetResetFields implements rest.ResetFieldsStrategy.
func (podScriptStrategy) GetResetFields() map[fieldpath.APIVersion]*fieldpath.Set {
	return resetFields("status")
}

// podScriptStatusStrategy lets only the status change.
type podScriptStatusStrategy struct{ podScriptStrategy }

// PrepareForUpdate implements rest.RESTUpdateStrategy.
func (podScriptStatusStrategy) PrepareForUpdate(_ context.Context, obj, old runtime.Object) {
	s, before := obj.(*sim.PodScript), old.(*sim.PodScript)
	s.Spec = before.Spec
	metav1.ResetObjectMetaForStatus(&s.ObjectMeta, &before.ObjectMeta)
}

// GetResetFields implements rest.ResetFieldsStrategy.
func (podScriptStatusStrategy) GetResetFields() map[fieldpath.APIVersion]*fieldpath.Set {
	return resetFields("spec")
}

func resetFields(name string) map[fieldpath.APIVersion]*fieldpath.Set {
	return map[fieldpath.APIVersion]*fieldpath.Set{
		fieldpath.APIVersion(v1alpha1.GroupVersion().String()): fieldpath.NewSet(fieldpath.MakePathOrDie(name)),
	}
}

// printPodScripts says what `kubectl get podscripts` prints.
func printPodScripts(h printers.PrintHandler) {
	columns := []metav1.TableColumnDefinition{
		{Name: "Name", Type: "string", Format: "name", Description: metav1.ObjectMeta{}.SwaggerDoc()["name"]},
		{Name: "Matches", Type: "integer", Description: "Pods that there are that the script has run."},
		{Name: "Active", Type: "integer", Description: "Those of them that have not finished."},
		{Name: "Last Match", Type: "string", Description: "How long ago the newest Pod that the script has run was started."},
		{Name: "Age", Type: "string", Description: metav1.ObjectMeta{}.SwaggerDoc()["creationTimestamp"]},
	}
	row := func(s *sim.PodScript) metav1.TableRow {
		last := "<none>"
		if t := s.Status.LastMatchTime; t != nil {
			last = age(*t)
		}
		return metav1.TableRow{
			Object: runtime.RawExtension{Object: s},
			Cells:  []any{s.Name, int64(s.Status.Matches), int64(s.Status.Active), last, age(s.CreationTimestamp)},
		}
	}
	one := func(s *sim.PodScript, _ printers.GenerateOptions) ([]metav1.TableRow, error) {
		return []metav1.TableRow{row(s)}, nil
	}
	all := func(l *sim.PodScriptList, _ printers.GenerateOptions) ([]metav1.TableRow, error) {
		var rows []metav1.TableRow
		for i := range l.Items {
			rows = append(rows, row(&l.Items[i]))
		}
		return rows, nil
	}
	for _, printer := range []any{one, all} {
		// It fails for a function of a wrong form only.
		if err := h.TableHandler(columns, printer); err != nil {
			panic(err)
		}
	}
}

// age is how long ago t was, as upstream's printers say it. tableConvertor has
// shifted t to the wall clock that they read.
func age(t metav1.Time) string {
	if t.IsZero() {
		return "<unknown>"
	}
	return duration.HumanDuration(wallClock().Sub(t.Time).Round(time.Microsecond))
}
