package storage

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apiserver/pkg/storage"
)

// These bound what the lists under way add to what the store holds in any case: objects
// that are decoded for a list, and encodings that are made in one piece. Unit: encoded
// bytes.
//
// Deviation: upstream gives such lists more of the seats of priority and fairness
// (list_work_estimator.go in k8s.io/apiserver pkg/util/flowcontrol/request), which
// kubesim does not run.
const (
	listsMax = 256 << 20
	// listFree is what a list may add without asking, so that small lists never wait.
	listFree = 8 << 20
	// wholeFactor is how many times its size an encoding in one piece takes. Its buffer
	// grows by doubling, and is indented into another.
	wholeFactor = 4
)

// listWait is how long a list waits for a slot. Unit: wall time.
const listWait = 30 * time.Second

// lists admits large lists, in the order in which they arrive.
type lists struct {
	room *semaphore.Weighted
	max  int64
	wait time.Duration
}

func newLists(limit int64, wait time.Duration) *lists {
	return &lists{room: semaphore.NewWeighted(limit), max: limit, wait: wait}
}

// listSlot is the room that one client's list takes.
type listSlot struct {
	lists *lists
	// factor is how many times its size an object takes that is not decoded for the
	// list.
	factor int64
	weight atomic.Int64 // of the room that it has
}

type listSlotKey struct{}

// BeginList gives a list with ctx a place among the lists that wait if they are large.
// The place is held from when the list's size is known until end is called, which is
// when its answer is sent. whole says that the answer is encoded in one piece.
//
// Lists that are part of something else do not wait, because others may wait for it.
func (db *DB) BeginList(ctx context.Context, whole bool) (_ context.Context, end func()) {
	slot := &listSlot{lists: db.lists}
	if whole {
		slot.factor = wholeFactor
	}
	return context.WithValue(ctx, listSlotKey{}, slot), func() { slot.lists.room.Release(slot.weight.Swap(0)) }
}

// cost returns how much r, an object of a list, adds to what the store holds.
func (slot *listSlot) cost(r *record) int64 {
	n := slot.factor * r.size()
	if r.obj == nil {
		n += r.size()
	}
	return n
}

// enter waits for room for a list that has exceeded listFree, and that may take up to
// weight.
func (slot *listSlot) enter(ctx context.Context, weight int64) error {
	weight = min(weight, slot.lists.max)
	patient, cancel := context.WithTimeout(ctx, slot.lists.wait)
	defer cancel()
	if err := slot.lists.room.Acquire(patient, weight); err != nil {
		if ctx.Err() != nil {
			return storage.NewTimeoutError("list", "request did not complete within requested timeout")
		}
		return apierrors.NewTooManyRequests(fmt.Sprintf("lists of more than %d MB are being answered: ask again, or for a page, with ?limit=", slot.lists.max>>20), 1)
	}
	slot.weight.Store(weight)
	return nil
}

// admit reports whether the next page may be decoded. If not, the list has waited for a
// slot and starts again, at the revision that is then the newest.
func (l *listing) admit(ctx context.Context, p page) (ok bool, err error) {
	slot, _ := ctx.Value(listSlotKey{}).(*listSlot)
	if slot == nil || slot.weight.Load() > 0 {
		return true, nil
	}
	for _, r := range p.recs {
		l.added += slot.cost(r)
	}
	if l.added <= listFree {
		return true, nil
	}
	if slot.lists.room.TryAcquire(min(l.estimate(slot), slot.lists.max)) {
		slot.weight.Store(min(l.estimate(slot), slot.lists.max))
		return true, nil
	}
	l.restart()
	return false, slot.enter(ctx, l.estimate(slot))
}

// estimate returns how much the list may add in the end: as much as its whole resource,
// or as many objects as its limit allows.
func (l *listing) estimate(slot *listSlot) int64 {
	keys, bytes := l.s.counts.keys.Load(), l.s.counts.bytes.Load()
	if limit := l.opts.Predicate.Limit; limit > 0 && limit < keys {
		bytes = bytes / keys * limit
	}
	return max(l.added, (slot.factor+1)*bytes)
}

// restart forgets what was read.
func (l *listing) restart() {
	l.into.SetZero()
	l.from, l.rev, l.added = l.begin.from, l.begin.rev, 0
	l.errs = listErrors{s: l.s}
}
