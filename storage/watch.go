package storage

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.etcd.io/bbolt"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/features"
	"k8s.io/apiserver/pkg/storage"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	utilflowcontrol "k8s.io/apiserver/pkg/util/flowcontrol"
)

const (
	// resultsMax is how many events wait for a slow client before its watcher stops
	// reading. Source: outgoingBufSize in upstream's etcd3 watcher.
	resultsMax = 100
	// lookMax is how many changes a watcher takes from its hub at once.
	lookMax = 64
	// logPageMax is how many log records, of all resources, one read
	// transaction of a watcher visits.
	logPageMax = 2000
)

// watcher is one client's place in the history of a resource. Only its own goroutine
// moves it. A slow client delays nobody else.
type watcher struct {
	s         *Store
	key       string // without recursive the key, else what it begins with
	recursive bool
	pred      storage.SelectionPredicate
	progress  bool // bookmarks are welcome
	timed     bool // opts.RecordTimestamps
	rev       int64
	epoch     int64 // of the DB, when the watch began
	asked     int   // progress requests answered
	buf       []change
	cancel    context.CancelFunc
	results   chan watch.Event
}

// Watch implements storage.Interface.
func (s *Store) Watch(ctx context.Context, key string, opts storage.ListOptions) (watch.Interface, error) {
	key, err := s.prepareKey(key, opts.Recursive)
	if err != nil {
		return nil, err
	}
	rv, err := s.versioner.ParseResourceVersion(opts.ResourceVersion)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	w := &watcher{
		s:         s,
		key:       key,
		recursive: opts.Recursive,
		pred:      opts.Predicate,
		progress:  opts.ProgressNotify || opts.Predicate.AllowWatchBookmarks,
		timed:     opts.RecordTimestamps,
		rev:       int64(rv),
		epoch:     s.db.epoch.Load(),
		asked:     s.hub.after(0, nil).asked,
		cancel:    cancel,
		buf:       make([]change, 0, lookMax),
		results:   make(chan watch.Event, resultsMax),
	}
	if w.pred.Empty() {
		w.pred = storage.Everything
	}
	s.hub.join()
	initial := initialEvents(w.rev, opts)
	if w.rev == 0 && !initial {
		w.rev = s.db.visible() // from now on
	}
	go w.run(ctx, initial, endBookmark(opts))
	utilflowcontrol.WatchInitialized(ctx)
	return w, nil
}

// initialEvents reports whether the watch begins with the current state.
// Source: areInitialEventsRequired in upstream's etcd3 watcher.
func initialEvents(rev int64, opts storage.ListOptions) bool {
	if opts.SendInitialEvents == nil {
		return rev == 0
	}
	return *opts.SendInitialEvents && utilfeature.DefaultFeatureGate.Enabled(features.WatchList)
}

// endBookmark reports whether a bookmark marks the end of the initial events.
func endBookmark(opts storage.ListOptions) bool {
	return opts.SendInitialEvents != nil && *opts.SendInitialEvents && opts.Predicate.AllowWatchBookmarks &&
		utilfeature.DefaultFeatureGate.Enabled(features.WatchList)
}

// Stop implements watch.Interface.
func (w *watcher) Stop() { w.cancel() }

// ResultChan implements watch.Interface.
func (w *watcher) ResultChan() <-chan watch.Event { return w.results }

// run sends events until the client or the DB goes away, or until an error ends the
// watch. That error is the last event.
func (w *watcher) run(ctx context.Context, initial, endBookmark bool) {
	defer close(w.results)
	defer w.cancel()
	defer w.s.hub.leave()
	err := w.begin(ctx, initial, endBookmark)
	for err == nil {
		err = w.step(ctx)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrClosed) || errors.Is(err, ErrWithdrawn) {
		return
	}
	_ = w.send(ctx, errorEvent(err)) // a client that is gone needs no error
}

// begin sends the initial events, or checks that history reaches back to where
// the watch is to begin.
func (w *watcher) begin(ctx context.Context, initial, endBookmark bool) error {
	newest := w.s.db.visible()
	switch {
	case initial && w.rev > newest:
		return storage.NewTooLargeResourceVersionError(uint64(w.rev), uint64(newest), 1)
	case initial:
		if err := w.sendState(ctx); err != nil {
			return err
		}
	default:
		if err := w.s.db.checkPlace(w.rev); err != nil {
			return err
		}
	}
	if endBookmark {
		return w.sendBookmark(ctx, true)
	}
	return nil
}

// sendState sends the current state as Added events and moves to its revision.
func (w *watcher) sendState(ctx context.Context) error {
	if err := w.s.db.flushed(ctx); err != nil {
		return err
	}
	l := &listing{s: w.s, opts: storage.ListOptions{Recursive: w.recursive}, prefix: w.key}
	for {
		p, err := l.read(pageMax)
		if err != nil {
			return err
		}
		for _, r := range p.recs {
			ev, err := w.event(ctx, change{store: w.s, rec: r}, watch.Added)
			if err == nil && ev != nil {
				err = w.send(ctx, *ev)
			}
			if err != nil {
				return err
			}
			l.from = r.key + "\x00"
		}
		if !p.more {
			w.rev = l.rev
			return nil
		}
	}
}

// step sends what the hub has or, if the watcher is behind it, the log. Otherwise it
// waits for more.
func (w *watcher) step(ctx context.Context) error {
	if w.s.closed() {
		return ErrWithdrawn
	}
	l := w.s.hub.after(w.rev, w.buf)
	if w.epoch != w.s.db.epoch.Load() {
		return errTakenBack
	}
	if l.behind {
		return w.catchUp(ctx)
	}
	for _, c := range l.changes {
		if err := w.pass(ctx, c); err != nil {
			return err
		}
	}
	if len(l.changes) > 0 {
		clear(l.changes) // an idle watcher keeps no objects alive
		return nil
	}
	if w.asked != l.asked {
		w.asked = l.asked
		if w.progress && l.askedRev >= w.rev {
			w.rev = l.askedRev
			return w.sendBookmark(ctx, false)
		}
	}
	select {
	case <-l.wakeup:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-w.s.db.stop:
		return ErrClosed
	case <-w.s.end:
		return ErrWithdrawn
	}
}

// catchUp reads a page of the log.
func (w *watcher) catchUp(ctx context.Context) error {
	if w.rev >= w.s.db.committed.Load() { // the ring is ahead of the file
		if err := w.s.db.flushed(ctx); err != nil {
			return err
		}
	}
	var changes []change
	next := w.rev
	err := w.s.db.view(func(tx *bbolt.Tx) error {
		current, compacted := bounds(tx)
		if w.rev < compacted || takenBack(tx, w.rev) {
			return errCompacted
		}
		next = min(current, w.rev+logPageMax)
		next = max(next, gapAt(tx, next).last) // no place to stay
		var err error
		changes, err = w.s.history(tx, w.rev, next, w.matches)
		return err
	})
	if err != nil {
		return err
	}
	for _, c := range changes {
		if err := w.pass(ctx, c); err != nil {
			return err
		}
	}
	w.rev = max(w.rev, next)
	return nil
}

// history returns the changes in (after, upTo] to keys that match.
func (s *Store) history(tx *bbolt.Tx, after, upTo int64, match func(key string) bool) ([]change, error) {
	var out []change
	c := tx.Bucket([]byte(bucketLog)).Cursor()
	for k, v := c.Seek(beUint64(after + 1)); k != nil && parseInt64(k) <= upTo; k, v = c.Next() {
		if !match(string(peekKey(v))) {
			continue
		}
		ch, err := s.changeAt(tx, parseInt64(k), v)
		if err != nil {
			return nil, err
		}
		out = append(out, ch)
	}
	return out, nil
}

// changeAt returns the change of revision rev, whose record is v.
func (s *Store) changeAt(tx *bbolt.Tx, rev int64, v []byte) (ch change, err error) {
	r := s.db.cache.get(rev)
	if r == nil {
		if r, err = decodeRecord(rev, v); err != nil {
			return ch, err
		}
	}
	ch = change{store: s, rec: r}
	if r.prevRev != 0 {
		ch.prev, err = s.db.version(tx, r.key, r.prevRev)
	}
	return ch, err
}

func (w *watcher) matches(key string) bool {
	if w.recursive {
		return strings.HasPrefix(key, w.key)
	}
	return key == w.key
}

// pass sends c if the client wants it, and moves past it.
func (w *watcher) pass(ctx context.Context, c change) error {
	if c.rec.rev <= w.rev {
		return nil
	}
	if w.matches(c.rec.key) {
		if err := w.sendChange(ctx, c, c.rec.kind.eventType()); err != nil {
			return err
		}
	}
	w.rev = c.rec.rev
	return nil
}

// RequestWatchProgress implements storage.Interface. The resource's watchers that take
// bookmarks get one as soon as they have seen everything.
func (s *Store) RequestWatchProgress(context.Context) error {
	s.hub.ask(s.db.visible())
	return nil
}

// NotifyProgress requests a bookmark on every watch that takes them. Whoever owns time
// calls it, about once a minute of the cluster's clock.
func (db *DB) NotifyProgress() {
	db.mu.Lock()
	stores := append([]*Store(nil), db.stores...)
	db.mu.Unlock()
	for _, s := range stores {
		s.hub.ask(db.visible())
	}
}

// checkPlace returns an error if history does not reach back to revision rev, from
// which a watch wants to continue.
func (db *DB) checkPlace(rev int64) error {
	return db.view(func(tx *bbolt.Tx) error {
		if _, compacted := bounds(tx); rev < compacted || takenBack(tx, rev) {
			return errCompacted
		}
		return nil
	})
}

// errorEvent is the last event of a watch. Source: transformErrorToEvent in
// upstream's etcd3 watcher.
func errorEvent(err error) watch.Event {
	if errors.Is(err, errCompacted) || errors.Is(err, errTakenBack) {
		err = apierrors.NewResourceExpired("The resourceVersion for the provided watch is too old.")
	}
	status, ok := err.(apierrors.APIStatus)
	if !ok {
		status = apierrors.NewInternalError(fmt.Errorf("watch: %w", err))
	}
	st := status.Status()
	return watch.Event{Type: watch.Error, Object: &st}
}
