package storage

import (
	"container/list"
	"sync"
)

// cache holds decoded records by revision, least recently used last, up to a
// bound in encoded bytes.
type cache struct {
	bytesMax int64

	mu     sync.Mutex
	bytes  int64
	byRev  map[int64]*list.Element // of *record
	recent *list.List
}

func newCache(bytesMax int64) *cache {
	return &cache{bytesMax: bytesMax, byRev: map[int64]*list.Element{}, recent: list.New()}
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

// put keeps r and drops what no longer fits. It ignores a record that was never
// decoded.
func (c *cache) put(r *record) {
	if r.obj == nil || r.size() > c.bytesMax {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byRev[r.rev] != nil {
		return
	}
	c.byRev[r.rev] = c.recent.PushFront(r)
	c.bytes += r.size()
	for c.bytes > c.bytesMax {
		c.remove(c.recent.Back())
	}
}

// drop forgets revision rev, for which there is a newer version of its key.
func (c *cache) drop(rev int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.byRev[rev]; e != nil {
		c.remove(e)
	}
}

func (c *cache) remove(e *list.Element) {
	r := c.recent.Remove(e).(*record)
	delete(c.byRev, r.rev)
	c.bytes -= r.size()
}

// clear forgets everything.
func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.byRev)
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
