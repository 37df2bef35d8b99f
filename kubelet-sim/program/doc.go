// Package program runs the programs of simulated containers: shells, applets
// and servers as Go functions on a virtual file system and a virtual clock.
//
// Invariant: a container is one deterministic coroutine. Its processes take
// turns, exactly one runs at a time, and control returns to the caller when
// all of them wait. What a container prints, when it does so and how it exits
// depend on its Spec, on the instants it is resumed at and on nothing else: no
// path leads to the host's files, processes, environment, network or clock.
//
// The shell evaluates the syntax trees of mvdan.cc/sh by itself, and not with
// that module's interp package. There, pipes and standard input are the host's
// file descriptors, which goroutines of their own feed; <(…) makes FIFOs on
// the host. It reads the wall clock and global random numbers, and knows
// neither signals nor descriptors above 2.
package program
