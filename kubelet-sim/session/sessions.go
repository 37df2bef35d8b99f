// Package session lets clients outside speak with the programs of Pods: kubectl exec, attach
// and port-forward, and the API server's proxy.
//
// Invariant: whatever a client sends is an input of the engine, in one order with all
// others, and happens in a step of the session's own key. So the order of inputs is all that
// a run depends on, and only the engine moves time.
package session

import (
	"context"
	"sync"
	"time"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/lifecycle"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stream"
)

// Sessions lets clients outside speak with the programs of the Pods: kubectl
// exec, attach, port-forward. It is the stream.Host of the kubelets.
//
// Invariant: whatever a client sends is an input of the engine (engine.Ask), in
// one order with all others, and happens in a step of the session's key. A
// session wakes that key when its own program goes on: in mode auto that is work,
// although the container's may not be. The clock does not advance for a program
// that waits for its client.
type Sessions struct {
	pods      *lifecycle.Reconciler
	awaitRest func(context.Context) error

	// live are the sessions, connections those to servers; of the engine's
	// goroutine alone.
	live        map[engine.Key]*session
	connections map[engine.Key]*connection
	exchanges   map[engine.Key]*Exchange

	// mu guards what follows.
	mu   sync.Mutex
	asks map[engine.Key][]*ask
	last int
}

var (
	_ engine.Reconciler = (*Sessions)(nil)
	_ stream.Host       = (*Sessions)(nil)
)

// New returns the sessions of pods, a reconciler of their engine. A
// command begins, and its end is told, when awaitRest has returned: when the
// cluster is at rest, in the clock modes in which writes wait for that.
func New(pods *lifecycle.Reconciler, awaitRest func(context.Context) error) *Sessions {
	return &Sessions{pods: pods, awaitRest: awaitRest, live: map[engine.Key]*session{}, connections: map[engine.Key]*connection{}, exchanges: map[engine.Key]*Exchange{}, asks: map[engine.Key][]*ask{}}
}

// Name implements engine.Reconciler.
func (s *Sessions) Name() string { return "session" }

// Observe implements engine.Reconciler: no commit is of interest.
func (s *Sessions) Observe(engine.Commit) []engine.Key { return nil }

// Reconcile implements engine.Reconciler. A key that nobody knows is of before a
// restart, which has ended its session.
func (s *Sessions) Reconcile(ctx context.Context, key engine.Key, now time.Time) (engine.Wake, error) {
	defer s.pods.EndStep(ctx, now)
	s.mu.Lock()
	asks := s.asks[key]
	delete(s.asks, key)
	s.mu.Unlock()
	for _, a := range asks {
		a.do(now)
		close(a.done)
	}
	if c := s.connections[key]; c != nil {
		return c.step(now), nil
	}
	if x := s.exchanges[key]; x != nil {
		return x.step(now), nil
	}
	x := s.live[key]
	if x == nil {
		return engine.Wake{}, nil
	}
	x.in.During(now, func() {})
	if x.ended {
		return engine.Wake{}, nil
	}
	x.wakeAt = x.wake()
	return engine.Progress(x.wakeAt), nil
}
