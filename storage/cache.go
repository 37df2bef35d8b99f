package storage

import (
	"container/list"
	"sync"
)

// cache holds decoded records by revision, in least-recently-used order, up to a bound
// in encoded bytes. A large record counts only as costMax. Otherwise, ten clients that
// list large objects would decode each of them ten times.
type cache struct {
	bytesMax int64

	mu    sync.Mutex
	bytes int64
	byRev map[int64]*list.Element // of *record
	// byKey has only newest versions. Once a newer version of a key is committed and
	// out of the overlay, the key is no longer here.
	byKey  map[string]*list.Element
	recent *list.List
}

func newCache(bytesMax int64) *cache {
	return &cache{
		bytesMax: bytesMax, byRev: map[int64]*list.Element{}, byKey: map[string]*list.Element{}, recent: list.New(),
	}
}

// get returns the record of revision rev, or nil.
func (c *cache) get(rev int64) *record {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byRev[rev]
	if e == nil {
		return nil
	}
	c.recent.MoveToFront(e)
	return e.Value.(*record)
}

// newest returns the newest committed version of key, or nil if it is not known. Look
// in the overlay first: a version that is there is not here yet.
func (c *cache) newest(key string) *record {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byKey[key]
	if e == nil {
		return nil
	}
	c.recent.MoveToFront(e)
	return e.Value.(*record)
}

// costMax is the most that a record of the cache counts. The cache holds 256 such
// records, at most 400 MB.
const costMax = 128 << 10

// retainedCost is what a large record counts if observers hold it too: most of it is
// strings and maps, which exist only once.
const retainedCost = 4 << 10

// bulkyFactor is by how much more a bulky object counts than its encoding. The objects
// that DefaultCacheBytes allows then take some 20 MB.
const bulkyFactor = 8

func cost(r *record) int64 {
	if r.by != nil && r.by.bulky {
		return bulkyFactor * r.size()
	}
	if r.retained && r.size() > costMax {
		return retainedCost
	}
	return min(r.size(), costMax)
}

// put keeps r, any version of its key, and drops what no longer fits. It ignores
// a record that was never decoded.
func (c *cache) put(r *record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(r)
}

// replace keeps r, now the newest version of its key, instead of prev.
func (c *cache) replace(prev, r *record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if prev != nil {
		if e := c.byRev[prev.rev]; e != nil {
			c.remove(e)
		}
	}
	if c.keep(r); r.kind != deleted && c.byRev[r.rev] != nil {
		c.byKey[r.key] = c.byRev[r.rev]
	}
}

// keep does put's work. Needs mu.
func (c *cache) keep(r *record) {
	if r.obj == nil || cost(r) > c.bytesMax {
		return
	}
	if e := c.byRev[r.rev]; e != nil {
		if e.Value.(*record).by == r.by {
			return
		}
		c.remove(e) // it was decoded by a store that is closed
	}
	c.byRev[r.rev] = c.recent.PushFront(r)
	c.bytes += cost(r)
	for c.bytes > c.bytesMax {
		c.remove(c.recent.Back())
	}
}

func (c *cache) remove(e *list.Element) {
	r := c.recent.Remove(e).(*record)
	delete(c.byRev, r.rev)
	if c.byKey[r.key] == e {
		delete(c.byKey, r.key)
	}
	c.bytes -= cost(r)
}

// clear forgets everything.
func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.byRev)
	clear(c.byKey)
	c.recent.Init()
	c.bytes = 0
}

// all returns the records, the most recently used first.
func (c *cache) all() []*record {
	c.mu.Lock()
	defer c.mu.Unlock()
	var rs []*record
	for e := c.recent.Front(); e != nil; e = e.Next() {
		rs = append(rs, e.Value.(*record))
	}
	return rs
}
