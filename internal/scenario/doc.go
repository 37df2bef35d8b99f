// Package scenario plays a file on a simulated cluster and judges what happens: manifests,
// timed actions and expectations, from start to end in virtual time.
//
// Invariant: what is printed and decided follows from the file, the seed and the cluster's
// events alone. Conditions are pure functions of a World, which is only looked at while the
// cluster is at rest; nothing here reads the wall clock.
package scenario
