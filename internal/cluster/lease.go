package cluster

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// leasedAPI lets nothing through that another leader could meet: a process that
// was frozen for longer than its lease lasts wakes up in the middle of a step,
// before anybody has told it.
type leasedAPI struct {
	api engine.API
	// held reports whether nobody else can have the lease yet.
	held func() bool
	// term ends what is under way. A step's own context is over when the server is asked
	// to stop; what the step has begun to write by then is not torn off.
	term context.Context
}

var _ engine.API = leasedAPI{}

// errNotHeld is what a step gets that comes too late. Its engine is about to end.
var errNotHeld = errors.New("the lease has run out: another server may lead")

// begin lets a write through.
func (a leasedAPI) begin(ctx context.Context) (_ context.Context, done func(), err error) {
	if !a.held() {
		return nil, nil, errNotHeld
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(a.term, cancel)
	return ctx, func() { stop(); cancel() }, nil
}

// Create implements engine.API.
func (a leasedAPI) Create(ctx context.Context, who engine.Identity, r engine.Resource, obj engine.Object) (engine.Object, error) {
	ctx, done, err := a.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	return a.api.Create(ctx, who, r, obj)
}

// Update implements engine.API.
func (a leasedAPI) Update(ctx context.Context, who engine.Identity, r engine.Resource, subresource string, obj engine.Object) (engine.Object, error) {
	ctx, done, err := a.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	return a.api.Update(ctx, who, r, subresource, obj)
}

// Delete implements engine.API.
func (a leasedAPI) Delete(ctx context.Context, who engine.Identity, r engine.Resource, key types.NamespacedName, opts metav1.DeleteOptions) error {
	ctx, done, err := a.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	return a.api.Delete(ctx, who, r, key, opts)
}

// DeleteCollection implements engine.API.
func (a leasedAPI) DeleteCollection(ctx context.Context, who engine.Identity, r engine.Resource, namespace string, opts metav1.DeleteOptions) error {
	ctx, done, err := a.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	return a.api.DeleteCollection(ctx, who, r, namespace, opts)
}

// Bind implements engine.API.
func (a leasedAPI) Bind(ctx context.Context, who engine.Identity, binding *corev1.Binding) error {
	ctx, done, err := a.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	return a.api.Bind(ctx, who, binding)
}
