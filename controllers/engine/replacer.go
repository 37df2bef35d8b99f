package engine

import (
	"time"

	"k8s.io/apimachinery/pkg/watch"
)

// Replacer is a Reconciler that replaces what ends, for as long as its object exists: a
// ReplicaSet, but not a Job, which completes. What it creates may end for the same
// reason as its predecessor, and leave nothing that could be counted, such as a Pod that
// an eviction deletes. So the creations of a key are limited in mode auto: once it has
// created something at replacementsMax instants after one input, the clock does not
// advance for what it creates next.
type Replacer interface {
	Reconciler
	// Asks returns the generation of a key's object. What it asks for anew, as a
	// Deployment does of its ReplicaSets in the course of a rollout, replaces nothing:
	// with another generation, the count of the key starts again.
	Asks(key Key) int64
}

// replacementsMax is the number of these instants after one input.
const replacementsMax = 10

// replacements has the instants, since the last input, at which keys have created
// something.
type replacements map[Key]replacement

type replacement struct {
	asked int64
	count int
	last  time.Time
}

// many reports whether a key has had all its replacements of what is asked for.
func (r replacements) many(key Key, asked int64) bool {
	return r[key].asked == asked && r[key].count >= replacementsMax
}

// add records that a key has created something.
func (r replacements) add(key Key, asked int64, now time.Time) {
	switch old := r[key]; {
	case old.asked != asked:
		r[key] = replacement{asked, 1, now}
	case !old.last.Equal(now):
		r[key] = replacement{asked, old.count + 1, now}
	}
}

// creates reports whether c is a creation that counts for a Replacer. An Event only
// reports one.
func creates(c Commit) bool { return c.Type == watch.Added && c.Resource != Events }
