package cluster

import (
	"context"
	"time"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/storage"
)

// defaultCompactionInterval is how much history the store keeps. Source: the
// default of --etcd-compaction-interval.
const defaultCompactionInterval = 5 * time.Minute

// historyMin is how many revisions are kept however old they are, unless the
// interval was chosen: in mode auto an hour passes in a millisecond, and a
// client's watch must not be cut off for that. A compaction that would forget
// fewer than historySlack is not worth its transactions then.
const (
	historyMin   = 10_000
	historySlack = 2_000
)

// expiryInterval is how often keys with a TTL are looked at.
const expiryInterval = time.Minute

// housekeeping is the store's own reconciler: it expires keys and compacts
// history on virtual time.
type housekeeping struct {
	db       *storage.DB
	interval time.Duration
	// keep and slack are zero, or historyMin and historySlack.
	keep, slack int64
	compact     time.Time
	// compacted is to where history was last asked to be forgotten.
	compacted int64
}

var _ engine.Rememberer = (*housekeeping)(nil)

func newHousekeeping(db *storage.DB, e *engine.Engine, interval time.Duration) *housekeeping {
	h := &housekeeping{db: db, interval: interval}
	if interval == 0 {
		h.interval, h.keep, h.slack = defaultCompactionInterval, historyMin, historySlack
	}
	e.Poke(engine.Key{Controller: h.Name(), Name: "housekeeping"})
	return h
}

// Name implements engine.Reconciler.
func (h *housekeeping) Name() string { return "store" }

// Observe implements engine.Reconciler: only the clock matters.
func (h *housekeeping) Observe(engine.Commit) []engine.Key { return nil }

// Remember implements engine.Rememberer: when the next compaction is due.
func (h *housekeeping) Remember(engine.Key) ([]byte, error) {
	return []byte(h.compact.Format(time.RFC3339Nano)), nil
}

// Recall implements engine.Rememberer.
func (h *housekeeping) Recall(_ context.Context, _ engine.Key, note []byte, _ time.Time) (err error) {
	h.compact, err = time.Parse(time.RFC3339Nano, string(note))
	return err
}

// Reconcile implements engine.Reconciler.
func (h *housekeeping) Reconcile(ctx context.Context, _ engine.Key, now time.Time) (engine.Wake, error) {
	if err := h.db.Expire(ctx, now); err != nil {
		return engine.Wake{}, err
	}
	h.db.NotifyProgress()
	if h.compact.IsZero() {
		h.compact = now.Add(h.interval)
	}
	if !now.Before(h.compact) {
		h.compact = now.Add(h.interval)
		if err := h.compactTo(ctx, now); err != nil {
			return engine.Wake{}, err
		}
	}
	return engine.Upkeep(now.Add(min(h.interval, expiryInterval))), nil
}

func (h *housekeeping) compactTo(ctx context.Context, now time.Time) error {
	rev, least := h.db.Revision()-h.keep, max(h.compacted, h.db.Compacted())+h.slack
	if rev <= 0 || rev < least {
		return nil // without a look into the file, which waits for a commit
	}
	if rev = min(rev, h.db.RevisionAt(now.Add(-h.interval))); rev <= 0 || rev < least {
		return nil
	}
	h.compacted = rev
	if h.keep > 0 { // nobody counts on when exactly history goes
		h.db.CompactLater(rev)
		return nil
	}
	if err := h.db.Sync(ctx); err != nil {
		return err
	}
	return h.db.Compact(ctx, rev)
}
