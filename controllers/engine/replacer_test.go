package engine

import (
	"testing"
	"time"
)

// Creations at many instants are too many only if the object has asked for the same all the
// time.
func TestReplacementsAreThoseOfOneGeneration(t *testing.T) {
	r, key := replacements{}, Key{Controller: "replicaset", Namespace: "default", Name: "web"}
	at := noon()
	for range replacementsMax {
		if r.many(key, 1) {
			t.Fatal("many, before there are replacementsMax instants")
		}
		r.add(key, 1, at)
		r.add(key, 1, at) // the same instant
		at = at.Add(time.Second)
	}
	if !r.many(key, 1) || r.many(key, 2) {
		t.Errorf("many of generation 1: %t, of 2: %t; want true, false", r.many(key, 1), r.many(key, 2))
	}
	if r.add(key, 2, at); r.many(key, 2) {
		t.Error("the count did not start again with another generation")
	}
}
