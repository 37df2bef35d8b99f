package workload

import "github.com/kubesim-dev/kubesim/controllers/engine"

// Milestones says how far the objects of a controller have come, for engine.Replacer: it
// tells a rollout, which creates Pods at many instants and ends, from Pods that are
// replaced again and again.
type Milestones map[engine.Key]milestone

// milestone are the largest numbers of Pods, and of Pods with the present template, that
// a generation of an object has had.
type milestone struct {
	generation    int64
	pods, updated int32
}

// Observe takes note of the numbers in an object's status. generation is the one that the
// status is about: until it is written, the numbers are those before the rollout.
func (m Milestones) Observe(key engine.Key, gone bool, generation int64, pods, updated int32) {
	if gone {
		delete(m, key)
		return
	}
	next := milestone{generation, pods, updated}
	if old := m[key]; old.generation == generation {
		next.pods, next.updated = max(pods, old.pods), max(updated, old.updated)
	}
	m[key] = next
}

// Of returns another number each time the object of a key has come further, or asks for
// something else.
func (m Milestones) Of(key engine.Key) int64 {
	const bits = 20 // more than a million Pods are as good as a million
	at := m[key]
	return at.generation<<(2*bits) | int64(min(at.pods, 1<<bits-1))<<bits | int64(min(at.updated, 1<<bits-1))
}
