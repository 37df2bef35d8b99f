package cluster

import (
	"errors"
	"sync"

	"github.com/kubesim-dev/kubesim/internal/history"
)

// Revert is how a cluster was taken back.
type Revert struct {
	// Number counts them. Busy: it is under way.
	Number int64
	Busy   bool
	// Result and Err say how it ended.
	Result history.Reverted
	Err    error
}

// reverts are the restores and rewinds of a running cluster, one at a time.
type reverts struct {
	under sync.WaitGroup

	mu     sync.Mutex
	ended  bool
	revert Revert
}

// begin claims the next revert.
func (t *reverts) begin() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.revert.Busy || t.ended {
		return errors.New("the cluster is being taken back already: try again when that is done")
	}
	t.revert.Number++
	t.revert.Busy = true
	t.under.Add(1)
	return nil
}

func (t *reverts) done(result history.Reverted, err error) {
	t.mu.Lock()
	t.revert.Busy, t.revert.Result, t.revert.Err = false, result, err
	t.mu.Unlock()
	t.under.Done()
}

func (t *reverts) last() Revert {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.revert
}

// end waits for a revert under way and lets none begin any more.
func (t *reverts) end() {
	t.mu.Lock()
	t.ended = true
	t.mu.Unlock()
	t.under.Wait()
}
