package handlers

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/storage"
)

// historyPath is where a running server is asked for snapshots, and to go back.
const historyPath = "/kubesim/history"

// historyRequest asks for one thing.
type historyRequest struct {
	// Action is save, restore or rewind.
	Action string `json:"action"`
	// Name is the snapshot's; saving, empty for a name of the server's choice.
	Name string `json:"name,omitempty"`
	// To is where to rewind to: a revision or a duration.
	To string `json:"to,omitempty"`
}

// historyStatus is the answer.
type historyStatus struct {
	Revision  int64      `json:"revision"`
	Snapshots []snapshot `json:"snapshots"`
	// Saved is the snapshot that was asked for.
	Saved *snapshot `json:"saved,omitempty"`
	// Turn is the number of the restore or rewind that was asked for, which goes
	// on after the answer, or of the last; Busy: it is under way.
	Turn int64 `json:"turn"`
	Busy bool  `json:"busy"`
	// Turned and Error say how it ended.
	Turned turned `json:"turned"`
	Error  string `json:"error,omitempty"`
}

// turns are the restores and rewinds of a running cluster, one at a time.
type turns struct {
	under sync.WaitGroup

	mu     sync.Mutex
	ended  bool
	number int64
	busy   bool
	result turned
	err    error
}

// begin claims the next turn.
func (t *turns) begin() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.busy || t.ended {
		return errors.New("the cluster is being taken back already: try again when that is done")
	}
	t.number++
	t.busy = true
	t.under.Add(1)
	return nil
}

func (t *turns) done(result turned, err error) {
	t.mu.Lock()
	t.busy, t.result, t.err = false, result, err
	t.mu.Unlock()
	t.under.Done()
}

// end waits for a turn under way and lets none begin any more.
func (t *turns) end() {
	t.mu.Lock()
	t.ended = true
	t.mu.Unlock()
	t.under.Wait()
}

func (t *turns) status(s *historyStatus) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.Turn, s.Busy, s.Turned = t.number, t.busy, t.result
	if t.err != nil {
		s.Error = t.err.Error()
	}
}

// historyBytesMax is far more than any request to historyPath has.
const historyBytesMax = 64 << 10

// historyHandler serves historyPath.
type historyHandler struct{ b *bolt }

// ServeHTTP implements http.Handler.
func (h historyHandler) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	var s historyStatus
	var err error
	code := http.StatusOK
	switch req.Method {
	case http.MethodGet:
	case http.MethodPost:
		var r historyRequest
		if err = json.NewDecoder(http.MaxBytesReader(w, req.Body, historyBytesMax)).Decode(&r); err != nil {
			err = fmt.Errorf("the request is no JSON history request: %w", err)
			break
		}
		if r.Action == "save" {
			var saved snapshot
			saved, err = h.b.c.dir.saveSnapshot(req.Context(), h.b.db, r.Name)
			s.Saved = &saved
			break
		}
		code = http.StatusAccepted
		err = h.turn(r)
	default:
		http.Error(w, "the history answers GET and POST", http.StatusMethodNotAllowed)
		return
	}
	if err == nil {
		s.Revision = h.b.db.Revision()
		s.Snapshots, err = h.b.c.dir.snapshots()
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	h.b.c.turns.status(&s)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	// A client that has gone away is not our concern.
	_ = json.NewEncoder(w).Encode(s)
}

// turn checks the request and starts what it asks for. That goes on after the
// answer: this very server has to end for it.
func (h historyHandler) turn(r historyRequest) error {
	var change func(*storage.DB) error
	c := h.b.c
	switch r.Action {
	case "rewind":
		p, err := findPast(h.b.db, r.To, h.b.engine.Now())
		if err != nil {
			return err
		}
		change = func(db *storage.DB) error { return rewind(c.ctx, db, p) }
	case "restore":
		path, err := c.dir.existing(r.Name)
		if err != nil {
			return err
		}
		change = func(db *storage.DB) error { return db.Restore(c.ctx, path) }
	default:
		return fmt.Errorf("history action %q: want save, restore or rewind", r.Action)
	}
	if err := c.turns.begin(); err != nil {
		return err
	}
	c.recording.turned(r)
	go func() { c.turns.done(h.b.turnBack(change)) }()
	return nil
}

// existing is the file of a snapshot that there is.
func (d *dataDir) existing(name string) (string, error) {
	path, err := d.snapshotPath(name)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("snapshot %q: %w: 'kubesim snapshot list' shows those that there are", name, rootCause(err))
	}
	return path, nil
}

// turnBack takes the ring apart, changes the file, and puts the ring together
// again. Writes that were acknowledged before are in the snapshot that it keeps.
//
// Its clock stands still meanwhile. In mode auto it stays paused if work is under
// way: else all would have happened again before anybody could look.
func (b *bolt) turnBack(change func(*storage.DB) error) (result turned, err error) {
	c := b.c
	err = c.reassemble(b, func() error {
		result, err = c.dir.turnBack(c.ctx, c.options.Ephemeral, change)
		return err
	}, func() error { return c.resumeUnlessWorking(&result) })
	return result, err
}

// reassemble takes the ring apart, does something, puts it together again with its
// clock paused, whatever became of that, and resumes if it was not paused before.
func (c *Cluster) reassemble(b *bolt, do, resume func() error) error {
	status := b.engine.Status()
	c.takeApart()
	err := do()
	c.options.Mode, c.options.Speed, c.options.resumed, c.options.paused = status.Mode, status.Speed, true, true
	startErr := c.assemble()
	if startErr == nil && !status.Paused {
		startErr = resume()
	}
	if startErr != nil {
		c.fail(startErr)
	}
	return errors.Join(err, startErr)
}

func (c *Cluster) resumeUnlessWorking(t *turned) error {
	e := c.backend.(*bolt).engine
	if err := e.Settle(c.ctx); err != nil {
		return err
	}
	status := e.Status()
	if t.Paused = status.Mode == engine.Auto && status.Working; t.Paused {
		return nil
	}
	return e.Resume(c.ctx)
}
