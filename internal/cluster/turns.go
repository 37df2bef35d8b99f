package cluster

import (
	"errors"
	"sync"

	"github.com/kubesim-dev/kubesim/internal/history"
)

// Turn is how a cluster was taken back.
type Turn struct {
	// Number counts them. Busy: it is under way.
	Number int64
	Busy   bool
	// Result and Err say how it ended.
	Result history.Turned
	Err    error
}

// turns are the restores and rewinds of a running cluster, one at a time.
type turns struct {
	under sync.WaitGroup

	mu    sync.Mutex
	ended bool
	turn  Turn
}

// begin claims the next turn.
func (t *turns) begin() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.turn.Busy || t.ended {
		return errors.New("the cluster is being taken back already: try again when that is done")
	}
	t.turn.Number++
	t.turn.Busy = true
	t.under.Add(1)
	return nil
}

func (t *turns) done(result history.Turned, err error) {
	t.mu.Lock()
	t.turn.Busy, t.turn.Result, t.turn.Err = false, result, err
	t.mu.Unlock()
	t.under.Done()
}

func (t *turns) last() Turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.turn
}

// end waits for a turn under way and lets none begin any more.
func (t *turns) end() {
	t.mu.Lock()
	t.ended = true
	t.mu.Unlock()
	t.under.Wait()
}
