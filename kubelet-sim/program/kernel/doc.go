// Package kernel is what the processes of one simulated container stand on: a
// scheduler of coroutines, a clock that only its caller moves, processes with
// signals and descriptors, pipes, /proc, and the bounds that keep a container
// from harming its host.
//
// Invariant: exactly one process of a Machine runs at a time, on the goroutine
// of the caller of Resume, Signal or Input (coroutines are iter.Pull's), and
// these return only when every process waits. The order in which processes run
// depends on nothing but the calls.
package kernel
