package engine

import (
	"container/heap"
	"time"
)

// In mode Realtime, programs may ask for more than the machine can do. Start-time fair
// queueing then shares out what is due. Each key is charged the wall time of its steps.
// Of the keys that are due, the one that has been charged least goes first. A key that
// was not due for a while starts with the charge of the present one. So a step waits
// for at most one step of each key that uses no more than its own does, and no number
// of Pods that never wait delays a Job.
//
// In the other modes, nothing is late, and a run depends on nothing but the order of
// steps. Source: Goyal, Vin, Cheng, "Start-time fair queueing", SIGCOMM 1996.

// shares has what keys have been charged.
type shares struct {
	// now is the tag of the key that had the last step. finish has the tags of the keys
	// that are ahead of it. Unit: wall time charged.
	now    time.Duration
	finish map[Key]time.Duration
	// sweepAt is the number of keys at which those that are no longer ahead are
	// forgotten.
	sweepAt int
}

// sharesMin is how many keys are kept without checking which of them matter.
const sharesMin = 1024

func newShares() *shares { return &shares{finish: map[Key]time.Duration{}, sweepAt: sharesMin} }

// tag returns where a key that is due starts.
func (s *shares) tag(key Key) time.Duration { return max(s.now, s.finish[key]) }

// charge charges a key for some wall time, starting at a tag.
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

// popFair takes, from the items that are due at now, the one whose key has been charged
// least.
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
