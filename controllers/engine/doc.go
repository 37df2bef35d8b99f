// Package engine runs a whole cluster on one goroutine and one virtual clock.
//
// Invariant: the engine is the only code that reads or advances time. Two runs with the
// same seed, the same store and the same inputs write the same event log, byte for
// byte.
//
// Commits of the store arrive in the inbox in revision order. The engine applies them
// to its [View] and asks every [Reconciler] which keys they touch. It runs those keys,
// one at a time, until nothing is due: the cluster has settled. Only then may the clock
// advance, to the next key that asked to be woken. Steps have a total order: by
// instant, then by order of arrival.
//
// A reconciler writes through the [API], the same registry that kubectl's writes pass.
// Its own commits are in the inbox before the call returns, and in the View before the
// next step starts. So the engine reads its own writes, and reconcilers need no
// expectations as upstream's controllers do.
package engine
