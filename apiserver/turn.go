package apiserver

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/storage"
)

// turn is a request's time on stage. Upstream's handlers do their work in goroutines of
// their own, and leave these behind when they run out of time.
//
// Invariant: after end, nothing of the request reaches the store.
type turn struct {
	mu      sync.Mutex
	over    bool
	writing sync.WaitGroup
}

type turnKey struct{}

// stage knows the context of the request that is on stage, for whoever works for it
// without a context: upstream's converter of custom resources.
type stage struct {
	now atomic.Pointer[context.Context]
}

// enter says that a request is on stage until leave is called.
func (s *stage) enter(ctx context.Context) (leave func()) {
	if s == nil {
		return func() {}
	}
	s.now.Store(&ctx)
	return func() { s.now.Store(nil) }
}

// context returns that of the request on stage. While time flows, nobody is.
func (s *stage) context() context.Context {
	if ctx := s.now.Load(); ctx != nil {
		return *ctx
	}
	return context.Background()
}

// errTurn is the answer to a write that comes too late.
var errTurn = errors.New("the request took too long: what it had not written yet is not written")

func (t *turn) end() {
	t.mu.Lock()
	t.over = true
	t.mu.Unlock()
	t.writing.Wait()
}

// beginWrite lets a write begin, which ends with done.
func beginWrite(ctx context.Context) (done func(), err error) {
	t, ok := ctx.Value(turnKey{}).(*turn)
	if !ok {
		return func() {}, nil // nobody gave it a turn, so that none can be over
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return nil, errTurn
	}
	t.writing.Add(1)
	return t.writing.Done, nil
}

// onStage is a store to which a request writes during its turn.
type onStage struct{ storage.Interface }

// Unwrap returns the storage below, for a writer that has no turn: the engine.
func (s onStage) Unwrap() storage.Interface { return s.Interface }

// Create implements storage.Interface.
func (s onStage) Create(ctx context.Context, key string, obj, out runtime.Object, ttl uint64) error {
	done, err := beginWrite(ctx)
	if err != nil {
		return err
	}
	defer done()
	return s.Interface.Create(ctx, key, obj, out, ttl)
}

// Delete implements storage.Interface.
func (s onStage) Delete(ctx context.Context, key string, out runtime.Object, preconditions *storage.Preconditions,
	validate storage.ValidateObjectFunc, cached runtime.Object, opts storage.DeleteOptions) error {
	done, err := beginWrite(ctx)
	if err != nil {
		return err
	}
	defer done()
	return s.Interface.Delete(ctx, key, out, preconditions, validate, cached, opts)
}

// GuaranteedUpdate implements storage.Interface.
func (s onStage) GuaranteedUpdate(ctx context.Context, key string, destination runtime.Object, ignoreNotFound bool,
	preconditions *storage.Preconditions, tryUpdate storage.UpdateFunc, cached runtime.Object) error {
	done, err := beginWrite(ctx)
	if err != nil {
		return err
	}
	defer done()
	return s.Interface.GuaranteedUpdate(ctx, key, destination, ignoreNotFound, preconditions, tryUpdate, cached)
}
