package engine

import (
	"time"

	"k8s.io/apimachinery/pkg/watch"
)

// Replacer is a Reconciler that makes up for what ends, for as long as its object is
// there: a ReplicationController, but not a Job, which comes to an end. What it creates
// may end for the same reason as what was there before, and leave nothing that could be
// counted, such as a Pod that an eviction deletes. So in mode auto, once a key has
// created something at replacementsMax instants after one input, what it creates next is
// no reason to move time.
type Replacer interface {
	Reconciler
	// Replacer does nothing: it marks the Reconciler.
	Replacer()
}

// replacementsMax is at how many instants after one input.
const replacementsMax = 10

// replacements are the instants, since the last input, at which keys have created
// something.
type replacements map[Key]replacement

type replacement struct {
	count int
	last  time.Time
}

// many reports whether a key has had all its replacements.
func (r replacements) many(key Key) bool { return r[key].count >= replacementsMax }

// add notes that a key has created something.
func (r replacements) add(key Key, now time.Time) {
	if old := r[key]; !old.last.Equal(now) {
		r[key] = replacement{old.count + 1, now}
	}
}

// creates reports whether c is what a Replacer is for; an Event only tells of it.
func creates(c Commit) bool { return c.Type == watch.Added && c.Resource != Events }
