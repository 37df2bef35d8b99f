package storage

import "sync"

// Bounds of a hub's ring. A watcher that is further behind reads the log.
const (
	ringChangesMax = 2048
	ringBytesMax   = 4 << 20 // encoded
)

// hub is where the watchers of one resource find its recent changes, decoded once for
// all of them. Each watcher keeps its own place. The hub knows only how many watchers
// there are. If there are none, it keeps no changes, nor the objects in them.
type hub struct {
	mu       sync.Mutex
	watchers int
	changes  []change // oldest first, by revision
	bytes    int64
	// floor is a revision: every committed change of the resource after it is in
	// changes.
	floor int64
	// wakeup is closed when there is more to see. It is nil while nobody waits.
	wakeup chan struct{}
	dirty  bool
	// asked counts the requests for progress. askedRev is how far the whole DB had come
	// at the last of them.
	asked    int
	askedRev int64
}

func newHub(rev int64) *hub { return &hub{floor: rev} }

// join adds one watcher, and leave removes one.
func (h *hub) join() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watchers++
}

func (h *hub) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watchers--
}

// add appends a committed change. It returns true for the first change since the last
// flush.
func (h *hub) add(c change) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watchers == 0 {
		h.changes, h.bytes, h.floor = nil, 0, c.rec.rev
		return false
	}
	h.changes = append(h.changes, c)
	h.bytes += c.rec.size()
	drop := 0
	for len(h.changes)-drop > ringChangesMax || (h.bytes > ringBytesMax && len(h.changes)-drop > 1) {
		h.bytes -= h.changes[drop].rec.size()
		h.floor = h.changes[drop].rec.rev
		h.changes[drop] = change{}
		drop++
	}
	h.changes = h.changes[drop:]
	first := !h.dirty
	h.dirty = true
	return first
}

// flush wakes the watchers.
func (h *hub) flush() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dirty = false
	h.wakeAll()
}

func (h *hub) wakeAll() {
	if h.wakeup != nil {
		close(h.wakeup)
		h.wakeup = nil
	}
}

// ask requests a progress bookmark from the watchers that want one. All that the DB
// committed up to rev is in the hubs.
func (h *hub) ask(rev int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked++
	h.askedRev = max(h.askedRev, rev)
	h.wakeAll()
}

// look is what a watcher finds at its place.
type look struct {
	changes  []change // after the place, or none
	behind   bool     // the ring begins after the place: read the log
	wakeup   <-chan struct{}
	asked    int
	askedRev int64
}

// reset forgets everything and wakes the watchers, which have to end.
func (h *hub) reset(rev int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changes, h.bytes, h.floor, h.askedRev = nil, 0, rev, rev
	h.wakeAll()
}

// after returns up to max changes after revision rev.
func (h *hub) after(rev int64, buf []change) look {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := look{behind: rev < h.floor, asked: h.asked, askedRev: h.askedRev}
	if l.behind {
		return l
	}
	i := h.search(rev)
	l.changes = append(buf[:0], h.changes[i:min(len(h.changes), i+cap(buf))]...)
	if len(l.changes) == 0 {
		if h.wakeup == nil {
			h.wakeup = make(chan struct{})
		}
		l.wakeup = h.wakeup
	}
	return l
}

// search returns the index of the first change after rev. A watcher is usually at the
// end, so search looks there first.
func (h *hub) search(rev int64) int {
	lo, hi := 0, len(h.changes)
	if hi > 0 && h.changes[hi-1].rec.rev <= rev {
		return hi
	}
	for lo < hi {
		if mid := (lo + hi) / 2; h.changes[mid].rec.rev <= rev {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}
