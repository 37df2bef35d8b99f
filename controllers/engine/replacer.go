package engine

import (
	"time"

	"k8s.io/apimachinery/pkg/watch"
)

// Replacer is a Reconciler that replaces what ends, for as long as its object exists: a
// ReplicationController, but not a Job, which completes. What it creates may end for
// the same reason as its predecessor, and leave nothing that could be counted, such as
// a Pod that an eviction deletes. So the creations of a key are limited in mode auto:
// once it has created something at replacementsMax instants after one input, the clock
// does not advance for what it creates next.
type Replacer interface {
	Reconciler
	// Replacer does nothing: it marks the Reconciler.
	Replacer()
}

// replacementsMax is the number of these instants after one input.
const replacementsMax = 10

// replacements has the instants, since the last input, at which keys have created
// something.
type replacements map[Key]replacement

type replacement struct {
	count int
	last  time.Time
}

// many reports whether a key has had all its replacements.
func (r replacements) many(key Key) bool { return r[key].count >= replacementsMax }

// add records that a key has created something.
func (r replacements) add(key Key, now time.Time) {
	if old := r[key]; !old.last.Equal(now) {
		r[key] = replacement{old.count + 1, now}
	}
}

// creates reports whether c is a creation that counts for a Replacer. An Event only
// reports one.
func creates(c Commit) bool { return c.Type == watch.Added && c.Resource != Events }
