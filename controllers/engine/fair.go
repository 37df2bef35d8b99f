package engine

import (
	"container/heap"
	"time"
)

// In mode Realtime programs may ask for more than the machine can do. What is due is
// then shared out by start-time fair queueing: each key is charged the wall time of its
// steps, and of the keys that are due the one goes first that has been charged least,
// where one that was not due for a while starts with what the present one has. So a
// step waits for at most one step of each key that uses no more than its own does, and
// no number of Pods that never wait holds up a Job. In the other modes order is all that
// a run depends on, and nothing is late. Source: Goyal, Vin, Cheng, "Start-time fair
// queueing", SIGCOMM 1996.

// shares is what keys have been charged.
type shares struct {
	// now is the tag of the key that had the last step; finish are the tags of those
	// that are ahead of it. Unit: wall time charged.
	now    time.Duration
	finish map[Key]time.Duration
	// sweepAt is how many there are when those that are ahead no more are forgotten.
	sweepAt int
}

// sharesMin is how many keys are kept without a look at which of them matter.
const sharesMin = 1024

func newShares() *shares { return &shares{finish: map[Key]time.Duration{}, sweepAt: sharesMin} }

// tag is where a key that is due starts.
func (s *shares) tag(key Key) time.Duration { return max(s.now, s.finish[key]) }

// charge has a key use up some wall time from a tag on.
func (s *shares) charge(key Key, tag, took time.Duration) {
	s.finish[key] = tag + took
	if len(s.finish) < s.sweepAt {
		return
	}
	for key, finish := range s.finish {
		if finish <= s.now {
			delete(s.finish, key)
		}
	}
	s.sweepAt = max(sharesMin, 2*len(s.finish))
}

// popFair takes, of what is due at now, the item whose key has been charged least.
func (q *queue) popFair(now time.Time) (*item, bool) {
	for kind := range q.heaps {
		h := &q.heaps[kind]
		for len(*h) > 0 && !(*h)[0].wake.At.After(now) {
			it := heap.Pop(h).(*item)
			it.ready, it.tag = true, q.shares.tag(it.key)
			heap.Push(&q.ready, it)
		}
	}
	if len(q.ready.itemHeap) == 0 {
		return nil, false
	}
	first := q.ready.itemHeap[0]
	q.remove(first)
	q.shares.now = first.tag
	return first, true
}

// readyHeap is an itemHeap of what is due, in the order of fair shares.
type readyHeap struct{ itemHeap }

func (h readyHeap) Less(i, j int) bool {
	a, b := h.itemHeap[i], h.itemHeap[j]
	if a.tag != b.tag {
		return a.tag < b.tag
	}
	return a.before(b)
}
