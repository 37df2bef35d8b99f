package registry

import (
	"context"
	"io"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/kubernetes/pkg/printers"
	printerstorage "k8s.io/kubernetes/pkg/printers/storage"
	"sigs.k8s.io/yaml"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim"
	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
)

// Timekeeper shows and changes the cluster's clock. If it refuses something, it returns
// an API error.
type Timekeeper interface {
	// Show returns the clock as it is, without waiting.
	Show() (v1alpha1.ClockSpec, v1alpha1.ClockStatus)
	// Set changes how time advances. It returns when the cluster has settled and what
	// it has written can be read, or when ctx ends.
	Set(ctx context.Context, spec v1alpha1.ClockSpec) error
	// Advance advances the clock, and returns as Set does. The request is valid.
	Advance(ctx context.Context, how *v1alpha1.ClockAdvance) error
	// AwaitRest returns as Set does.
	AwaitRest(ctx context.Context) error
}

// Clocks is the resource clocks: a view of the cluster's clock. Nothing of it is
// stored.
type Clocks struct {
	keeper Timekeeper
	table  rest.TableConvertor
}

// ClocksAdvance is its subresource advance.
type ClocksAdvance struct{ clock *Clocks }

// ClocksSettled is its subresource settled.
type ClocksSettled struct{ clock *Clocks }

// NewClocks returns the resource clocks and its subresources.
func NewClocks(keeper Timekeeper) (*Clocks, *ClocksAdvance, *ClocksSettled) {
	c := &Clocks{keeper: keeper, table: printerstorage.TableConvertor{TableGenerator: printers.NewTableGenerator().With(printClock)}}
	return c, &ClocksAdvance{c}, &ClocksSettled{c}
}

var (
	_ rest.Storage              = (*Clocks)(nil)
	_ rest.Scoper               = (*Clocks)(nil)
	_ rest.SingularNameProvider = (*Clocks)(nil)
	_ rest.Getter               = (*Clocks)(nil)
	_ rest.Lister               = (*Clocks)(nil)
	_ rest.Updater              = (*Clocks)(nil)
	_ rest.Connecter            = (*ClocksAdvance)(nil)
	_ rest.Connecter            = (*ClocksSettled)(nil)
)

// New implements rest.Storage.
func (*Clocks) New() runtime.Object { return &sim.Clock{} }

// NewList implements rest.Lister.
func (*Clocks) NewList() runtime.Object { return &sim.ClockList{} }

// Destroy implements rest.Storage: nothing is held.
func (*Clocks) Destroy() {}

// NamespaceScoped implements rest.Scoper.
func (*Clocks) NamespaceScoped() bool { return false }

// GetSingularName implements rest.SingularNameProvider.
func (*Clocks) GetSingularName() string { return "clock" }

// clockUID is the same in every cluster. Upstream does not patch an object without a
// UID.
const clockUID = "636c6f63-6b00-4000-8000-000000000001"

// show returns the clock as it is.
func (c *Clocks) show() *sim.Clock {
	clock := &sim.Clock{ObjectMeta: metav1.ObjectMeta{
		Name: v1alpha1.ClockName, UID: clockUID,
		// If nobody manages an object, upstream lets nobody apply a part of it.
		ManagedFields: []metav1.ManagedFieldsEntry{{
			Manager: "kubesim", Operation: metav1.ManagedFieldsOperationUpdate, Subresource: "status",
			APIVersion: v1alpha1.GroupVersion().String(), FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(`{"f:status":{"f:now":{}}}`),
		}},
	}}
	clock.Spec, clock.Status = c.keeper.Show()
	return clock
}

// named refuses names of clocks that do not exist.
func (c *Clocks) named(name string) error {
	if name != v1alpha1.ClockName {
		return apierrors.NewNotFound(sim.Resource("clocks"), name)
	}
	return nil
}

// Get implements rest.Getter.
func (c *Clocks) Get(_ context.Context, name string, _ *metav1.GetOptions) (runtime.Object, error) {
	if err := c.named(name); err != nil {
		return nil, err
	}
	return c.show(), nil
}

// List implements rest.Lister.
func (c *Clocks) List(_ context.Context, options *internalversion.ListOptions) (runtime.Object, error) {
	list := &sim.ClockList{Items: []sim.Clock{}}
	clock := c.show()
	if options != nil && options.LabelSelector != nil && !options.LabelSelector.Matches(labels.Set{}) ||
		options != nil && options.FieldSelector != nil && !options.FieldSelector.Matches(fields.Set{"metadata.name": clock.Name}) {
		return list, nil
	}
	list.Items = append(list.Items, *clock)
	return list, nil
}

// ConvertToTable implements rest.TableConvertor.
func (c *Clocks) ConvertToTable(ctx context.Context, obj, options runtime.Object) (*metav1.Table, error) {
	return c.table.ConvertToTable(ctx, obj, options)
}

// setMargin is how much of a request's time is kept for its answer when the wait for
// the cluster to come to rest is given up.
const setMargin = 2 * time.Second

// Update implements rest.Updater. It answers when the cluster has settled, or shortly
// before the request's time is up. In the latter case, the clock is changed, and its
// status says that the cluster has not settled.
func (c *Clocks) Update(ctx context.Context, name string, info rest.UpdatedObjectInfo, _ rest.ValidateObjectFunc,
	validate rest.ValidateObjectUpdateFunc, _ bool, options *metav1.UpdateOptions) (runtime.Object, bool, error) {
	if err := c.named(name); err != nil {
		return nil, false, err
	}
	old := c.show()
	updated, err := info.UpdatedObject(ctx, old.DeepCopyObject())
	if err != nil {
		return nil, false, err
	}
	clock := updated.(*sim.Clock)
	if errs := v1alpha1.ValidateClock(clock.External()); len(errs) > 0 {
		return nil, false, apierrors.NewInvalid(v1alpha1.GroupVersion().WithKind("Clock").GroupKind(), name, errs)
	}
	if validate != nil {
		if err := validate(ctx, clock, old); err != nil {
			return nil, false, err
		}
	}
	if len(options.DryRun) > 0 {
		old.Spec = clock.Spec
		return old, false, nil
	}
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-setMargin))
		defer cancel()
	}
	err = c.keeper.Set(ctx, clock.Spec)
	now := c.show()
	if err != nil && (ctx.Err() == nil || now.Spec != clock.Spec) {
		return nil, false, err
	}
	return now, false, nil
}

// printClock defines what `kubectl get clock` prints.
func printClock(h printers.PrintHandler) {
	rows(h, []metav1.TableColumnDefinition{
		{Name: "Name", Type: "string", Format: "name", Description: metav1.ObjectMeta{}.SwaggerDoc()["name"]},
		{Name: "Mode", Type: "string", Description: "How time moves: realtime, auto or manual."},
		{Name: "Paused", Type: "boolean", Description: "Whether time stands still."},
		{Name: "Now", Type: "string", Description: "The present instant of virtual time."},
		{Name: "Next", Type: "string", Description: "How long it is to the next timer."},
		{Name: "Settled", Type: "boolean", Description: "Whether nothing is due now."},
		{Name: "Speed", Type: "number", Priority: 1, Description: "Virtual seconds in a second of mode realtime."},
	}, func(c *sim.Clock) []any {
		next := "<none>"
		if t := c.Status.NextTimer; t != nil {
			next = t.Sub(c.Status.Now.Time).Round(time.Millisecond).String()
		}
		return []any{c.Name, c.Spec.Mode, c.Spec.Paused, c.Status.Now.UTC().Format(time.RFC3339), next, c.Status.Settled, c.Spec.Speed}
	}, func(l *sim.ClockList) []sim.Clock { return l.Items })
}

// New implements rest.Storage.
func (*ClocksAdvance) New() runtime.Object { return &v1alpha1.ClockAdvance{} }

// Destroy implements rest.Storage: nothing is held.
func (*ClocksAdvance) Destroy() {}

// ConnectMethods implements rest.Connecter. The subresource is a connection because its
// answer may take longer than upstream allows for a creation.
func (*ClocksAdvance) ConnectMethods() []string { return []string{http.MethodPost} }

// NewConnectOptions implements rest.Connecter: there are none.
func (*ClocksAdvance) NewConnectOptions() (runtime.Object, bool, string) { return nil, false, "" }

// Connect implements rest.Connecter.
func (a *ClocksAdvance) Connect(_ context.Context, name string, _ runtime.Object, r rest.Responder) (http.Handler, error) {
	if err := a.clock.named(name); err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		how, err := readAdvance(req.Body)
		if err == nil {
			err = a.clock.keeper.Advance(req.Context(), how)
		}
		a.clock.answer(r, err)
	}), nil
}

// answer sends the outcome of a request.
func (c *Clocks) answer(r rest.Responder, err error) {
	if err != nil {
		r.Error(err)
		return
	}
	r.Object(http.StatusOK, c.show())
}

// advanceMax bounds the body of a request. Unit: bytes.
const advanceMax = 64 << 10

// readAdvance reads what was posted, JSON or YAML.
func readAdvance(body io.Reader) (*v1alpha1.ClockAdvance, error) {
	data, err := io.ReadAll(io.LimitReader(body, advanceMax))
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	how := &v1alpha1.ClockAdvance{}
	if err := yaml.UnmarshalStrict(data, how); err != nil {
		return nil, apierrors.NewBadRequest(`the request is no ClockAdvance, for example {"duration": "10m"}: ` + err.Error())
	}
	kind := v1alpha1.GroupVersion().WithKind("ClockAdvance")
	if how.Kind != "" && how.Kind != kind.Kind || how.APIVersion != "" && how.APIVersion != kind.GroupVersion().String() {
		return nil, apierrors.NewBadRequest("the request is a " + how.Kind + " of " + how.APIVersion + ", want a ClockAdvance of " + kind.GroupVersion().String())
	}
	if errs := v1alpha1.ValidateClockAdvance(how); len(errs) > 0 {
		return nil, apierrors.NewInvalid(kind.GroupKind(), v1alpha1.ClockName, errs)
	}
	return how, nil
}

// New implements rest.Storage.
func (*ClocksSettled) New() runtime.Object { return &sim.Clock{} }

// Destroy implements rest.Storage: nothing is held.
func (*ClocksSettled) Destroy() {}

// ConnectMethods implements rest.Connecter.
func (*ClocksSettled) ConnectMethods() []string { return []string{http.MethodGet} }

// NewConnectOptions implements rest.Connecter: there are none.
func (*ClocksSettled) NewConnectOptions() (runtime.Object, bool, string) { return nil, false, "" }

// Connect implements rest.Connecter.
func (s *ClocksSettled) Connect(_ context.Context, name string, _ runtime.Object, r rest.Responder) (http.Handler, error) {
	if err := s.clock.named(name); err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		s.clock.answer(r, s.clock.keeper.AwaitRest(req.Context()))
	}), nil
}
