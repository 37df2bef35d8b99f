package cluster

import (
	"context"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// gate is where writes from outside enter the ring.
type gate struct{ b *bolt }

// Enter implements apiserver.Gate. What the engine has written in the meantime
// must be visible to readers, and so as durable as the mode promises, before a
// client is answered.
func (g gate) Enter(ctx context.Context) (func(context.Context) error, error) {
	leave, err := g.b.engine.Enter(ctx)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		if err := leave(ctx); err != nil {
			return err
		}
		if g.b.engine.Status().Mode == engine.Realtime {
			return nil
		}
		return g.b.db.AwaitVisible(ctx)
	}, nil
}

// Flows implements apiserver.Gate.
func (g gate) Flows() bool { return g.b.engine.Status().Mode == engine.Realtime }

// openGate lets writes in at once: time flows, and the leader's engine takes
// them from etcd.
type openGate struct{}

// Enter implements apiserver.Gate.
func (openGate) Enter(context.Context) (func(context.Context) error, error) {
	return func(context.Context) error { return nil }, nil
}

// Flows implements apiserver.Gate.
func (openGate) Flows() bool { return true }
