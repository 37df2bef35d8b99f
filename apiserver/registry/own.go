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

// Own is a resource of group sim.kubesim.dev.
type Own struct {
	*genericregistry.Store
	shortNames []string
}

// OwnStatus is its subresource status.
type OwnStatus struct {
	store *genericregistry.Store
}

// kind says how one kind of the group differs from the others. S is the type of its
// spec, T that of its status.
type kind[S, T any] struct {
	singular, plural string
	shortNames       []string
	new, newList     func() runtime.Object
	parts            func(runtime.Object) (*metav1.ObjectMeta, *S, *T)
	validate         func(obj runtime.Object) field.ErrorList
	validateUpdate   func(obj, old runtime.Object) field.ErrorList
	print            func(printers.PrintHandler)
}

// newOwn returns the resource of a kind, and its status.
func newOwn[S, T any](getter generic.RESTOptionsGetter, k kind[S, T]) (*Own, *OwnStatus, error) {
	strategy := ownStrategy[S, T]{legacyscheme.Scheme, names.SimpleNameGenerator, k}
	store := &genericregistry.Store{
		NewFunc:                   k.new,
		NewListFunc:               k.newList,
		DefaultQualifiedResource:  sim.Resource(k.plural),
		SingularQualifiedResource: sim.Resource(k.singular),
		CreateStrategy:            strategy,
		UpdateStrategy:            strategy,
		DeleteStrategy:            strategy,
		ResetFieldsStrategy:       strategy,
		TableConvertor:            printerstorage.TableConvertor{TableGenerator: printers.NewTableGenerator().With(k.print)},
	}
	if err := store.CompleteWithOptions(&generic.StoreOptions{RESTOptions: getter}); err != nil {
		return nil, nil, err
	}
	status := *store
	status.UpdateStrategy, status.ResetFieldsStrategy = ownStatusStrategy[S, T]{strategy}, ownStatusStrategy[S, T]{strategy}
	return &Own{store, k.shortNames}, &OwnStatus{&status}, nil
}

var _ rest.ShortNamesProvider = (*Own)(nil)

// ShortNames implements rest.ShortNamesProvider.
func (o *Own) ShortNames() []string { return o.shortNames }

// New implements rest.Storage.
func (s *OwnStatus) New() runtime.Object { return s.store.New() }

// Destroy implements rest.Storage: the store is the resource's.
func (*OwnStatus) Destroy() {}

// Get implements rest.Getter.
func (s *OwnStatus) Get(ctx context.Context, name string, options *metav1.GetOptions) (runtime.Object, error) {
	return s.store.Get(ctx, name, options)
}

// Update implements rest.Updater.
func (s *OwnStatus) Update(ctx context.Context, name string, info rest.UpdatedObjectInfo, create rest.ValidateObjectFunc,
	update rest.ValidateObjectUpdateFunc, _ bool, options *metav1.UpdateOptions) (runtime.Object, bool, error) {
	return s.store.Update(ctx, name, info, create, update, false, options)
}

// GetResetFields implements rest.ResetFieldsStrategy.
func (s *OwnStatus) GetResetFields() map[fieldpath.APIVersion]*fieldpath.Set {
	return s.store.GetResetFields()
}

// ConvertToTable implements rest.TableConvertor.
func (s *OwnStatus) ConvertToTable(ctx context.Context, obj, options runtime.Object) (*metav1.Table, error) {
	return s.store.ConvertToTable(ctx, obj, options)
}

// ownStrategy makes an object of the group more than stored bytes.
type ownStrategy[S, T any] struct {
	runtime.ObjectTyper
	names.NameGenerator
	kind kind[S, T]
}

// NamespaceScoped implements rest.Scoper. Instructions to the simulator may concern any
// namespace, so they are cluster-scoped.
func (ownStrategy[S, T]) NamespaceScoped() bool { return false }

// PrepareForCreate implements rest.RESTCreateStrategy.
func (s ownStrategy[S, T]) PrepareForCreate(_ context.Context, obj runtime.Object) {
	meta, _, status := s.kind.parts(obj)
	meta.Generation = 1
	var none T
	*status = none
}

// PrepareForUpdate implements rest.RESTUpdateStrategy.
func (s ownStrategy[S, T]) PrepareForUpdate(_ context.Context, obj, old runtime.Object) {
	meta, spec, status := s.kind.parts(obj)
	oldMeta, oldSpec, oldStatus := s.kind.parts(old)
	*status = *oldStatus
	if !apiequality.Semantic.DeepEqual(spec, oldSpec) {
		meta.Generation = oldMeta.Generation + 1
	}
}

// Validate implements rest.RESTCreateStrategy.
func (s ownStrategy[S, T]) Validate(_ context.Context, obj runtime.Object) field.ErrorList {
	return s.kind.validate(obj)
}

// ValidateUpdate implements rest.RESTUpdateStrategy.
func (s ownStrategy[S, T]) ValidateUpdate(_ context.Context, obj, old runtime.Object) field.ErrorList {
	return s.kind.validateUpdate(obj, old)
}

// Canonicalize implements rest.RESTCreateStrategy.
func (ownStrategy[S, T]) Canonicalize(runtime.Object) {}

// AllowCreateOnUpdate implements rest.RESTUpdateStrategy.
func (ownStrategy[S, T]) AllowCreateOnUpdate(context.Context) bool { return false }

// AllowUnconditionalUpdate implements rest.RESTUpdateStrategy.
func (ownStrategy[S, T]) AllowUnconditionalUpdate(context.Context) bool { return true }

// WarningsOnCreate implements rest.RESTCreateStrategy.
func (ownStrategy[S, T]) WarningsOnCreate(context.Context, runtime.Object) []string { return nil }

// WarningsOnUpdate implements rest.RESTUpdateStrategy.
func (ownStrategy[S, T]) WarningsOnUpdate(context.Context, runtime.Object, runtime.Object) []string {
	return nil
}

// GetResetFields implements rest.ResetFieldsStrategy.
func (ownStrategy[S, T]) GetResetFields() map[fieldpath.APIVersion]*fieldpath.Set {
	return resetFields("status")
}

// ownStatusStrategy lets only the status change.
type ownStatusStrategy[S, T any] struct{ ownStrategy[S, T] }

// PrepareForUpdate implements rest.RESTUpdateStrategy.
func (s ownStatusStrategy[S, T]) PrepareForUpdate(_ context.Context, obj, old runtime.Object) {
	meta, spec, _ := s.kind.parts(obj)
	oldMeta, oldSpec, _ := s.kind.parts(old)
	*spec = *oldSpec
	metav1.ResetObjectMetaForStatus(meta, oldMeta)
}

// GetResetFields implements rest.ResetFieldsStrategy.
func (ownStatusStrategy[S, T]) GetResetFields() map[fieldpath.APIVersion]*fieldpath.Set {
	return resetFields("spec")
}

func resetFields(name string) map[fieldpath.APIVersion]*fieldpath.Set {
	return map[fieldpath.APIVersion]*fieldpath.Set{
		fieldpath.APIVersion(v1alpha1.GroupVersion().String()): fieldpath.NewSet(fieldpath.MakePathOrDie(name)),
	}
}

// rows prints objects of type O, and their lists of type L, in columns.
func rows[O, L any](h printers.PrintHandler, columns []metav1.TableColumnDefinition, cells func(*O) []any, items func(*L) []O) {
	row := func(o *O) metav1.TableRow {
		return metav1.TableRow{Object: runtime.RawExtension{Object: any(o).(runtime.Object)}, Cells: cells(o)}
	}
	one := func(o *O, _ printers.GenerateOptions) ([]metav1.TableRow, error) {
		return []metav1.TableRow{row(o)}, nil
	}
	all := func(l *L, _ printers.GenerateOptions) ([]metav1.TableRow, error) {
		var out []metav1.TableRow
		list := items(l)
		for i := range list {
			out = append(out, row(&list[i]))
		}
		return out, nil
	}
	for _, printer := range []any{one, all} {
		// It fails only for a function of a wrong form.
		if err := h.TableHandler(columns, printer); err != nil {
			panic(err)
		}
	}
}

// age returns how long ago t was, as upstream's printers write it. tableConvertor has
// shifted t to the wall clock that they read.
func age(t metav1.Time) string {
	if t.IsZero() {
		return "<unknown>"
	}
	return duration.HumanDuration(wallClock().Sub(t.Time).Round(time.Microsecond))
}

// ageOr returns the age of t, or <none>.
func ageOr(t *metav1.Time) string {
	if t == nil {
		return "<none>"
	}
	return age(*t)
}
