package engine

import (
	"container/heap"
	"time"
)

// item is one key's next step.
type item struct {
	key  Key
	wake Wake
	// seq is the order of arrival, the second key of the total order.
	seq int64
	// position in its heap, -1 if not queued.
	position int
	// failures in a row, for the back-off.
	failures int
	// wakes counts the item's timers; see Config.WakesMax.
	wakes int
	// idle says that the key only follows from what a schedule started, so the clock
	// does not advance for its work; see Periodic.
	idle bool
	// ready says that it is due and in queue.ready, where tag is its place; see shares.
	ready bool
	tag   time.Duration
}

// queue orders steps by instant, then by order of arrival, and holds each key at most
// once. Each kind has a heap of its own: a jump of the clock does not stop at chores,
// and mode auto must know at once whether there is work for which the clock advances,
// and when it is due.
//
// While time flows, items that are due move to ready, and run in another order.
type queue struct {
	items  map[Key]*item
	heaps  [kinds]itemHeap
	ready  readyHeap
	shares *shares
	seq    int64
	// touch is called with every key whose wake is set.
	touch func(Key)
}

func newQueue() *queue {
	return &queue{items: map[Key]*item{}, shares: newShares(), touch: func(Key) {}}
}

// schedule replaces the key's wake. A wake after the end of virtual time never comes.
func (q *queue) schedule(key Key, wake Wake) {
	q.touch(key)
	wake = wake.bounded()
	it, ok := q.items[key]
	if !ok {
		if wake.At.IsZero() {
			return
		}
		it = &item{key: key, position: -1}
		q.items[key] = it
	}
	q.remove(it)
	if wake.At.IsZero() {
		delete(q.items, key)
		return
	}
	q.seq++
	it.seq, it.wake = q.seq, wake
	q.push(it)
}

func (q *queue) push(it *item) { heap.Push(q.heapOf(it), it) }

// put queues an item as it is, in place of the previous item of its key.
func (q *queue) put(it *item) {
	if old, ok := q.items[it.key]; ok {
		q.remove(old)
	}
	q.items[it.key] = it
	q.push(it)
}

// hasten makes the key due at the instant at, unless it is due earlier. If the reason
// is idle, the clock does not advance for it. From then on, it does not advance for
// what the key does either, if the key had no other reason to be due.
func (q *queue) hasten(key Key, at time.Time, idle bool) {
	it, ok := q.items[key]
	by := ok && it.position >= 0 && !it.wake.At.After(at)
	if idle && (!ok || it.idle) {
		if !by {
			q.schedule(key, Routine(at))
			q.items[key].idle = true
		}
		return
	}
	if ok && it.idle {
		it.wakes, it.idle = 0, false
	}
	if by {
		if it.wake.kind == work {
			return
		}
		at = it.wake.At // now the clock advances for it
	}
	q.schedule(key, Progress(at))
}

// refill resets the key's wakes.
func (q *queue) refill(key Key) {
	if it, ok := q.items[key]; ok {
		it.wakes, it.idle = 0, false
	}
}

// failing reports whether the key's last step failed.
func (q *queue) failing(key Key) bool {
	it, ok := q.items[key]
	return ok && it.failures > 0
}

func (q *queue) heapOf(it *item) heap.Interface {
	if it.ready {
		return &q.ready
	}
	return &q.heaps[it.wake.kind]
}

func (q *queue) remove(it *item) {
	if it.position < 0 {
		return
	}
	heap.Remove(q.heapOf(it), it.position)
	it.ready = false
}

// next returns the first instant at which something other than a chore is due.
func (q *queue) next() (time.Time, bool) { return q.first(work, recurring) }

// nextWork returns the first instant at which work is due.
func (q *queue) nextWork() (time.Time, bool) { return q.first(work) }

// nextOfAny returns the first instant at which anything is due.
func (q *queue) nextOfAny() (time.Time, bool) { return q.first(work, recurring, chore) }

func (q *queue) first(of ...kind) (at time.Time, ok bool) {
	for _, kind := range of {
		if h := q.heaps[kind]; len(h) > 0 && (!ok || h[0].wake.At.Before(at)) {
			at, ok = h[0].wake.At, true
		}
	}
	return at, ok
}

// working reports whether there is work.
func (q *queue) working() bool { return len(q.heaps[work]) > 0 }

// pop takes the first item that is due at now.
func (q *queue) pop(now time.Time) (*item, bool) {
	var first *item
	for _, h := range q.heaps {
		if len(h) == 0 || h[0].wake.At.After(now) {
			continue
		}
		if first == nil || h[0].before(first) {
			first = h[0]
		}
	}
	if first == nil {
		return nil, false
	}
	q.remove(first)
	return first, true
}

// before is the total order that makes a run repeatable.
func (it *item) before(other *item) bool {
	if !it.wake.At.Equal(other.wake.At) {
		return it.wake.At.Before(other.wake.At)
	}
	return it.seq < other.seq
}

// itemHeap implements container/heap.
type itemHeap []*item

func (h itemHeap) Len() int           { return len(h) }
func (h itemHeap) Less(i, j int) bool { return h[i].before(h[j]) }

func (h itemHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].position, h[j].position = i, j
}

// Push implements heap.Interface.
func (h *itemHeap) Push(x any) {
	it := x.(*item)
	it.position = len(*h)
	*h = append(*h, it)
}

// Pop implements heap.Interface.
func (h *itemHeap) Pop() any {
	old := *h
	it := old[len(old)-1]
	old[len(old)-1] = nil
	it.position = -1
	*h = old[:len(old)-1]
	return it
}
