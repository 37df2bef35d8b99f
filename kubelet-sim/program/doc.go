// Package program runs the programs of simulated containers: shells, applets
// and servers as Go functions on a virtual file system and a virtual clock.
//
// Invariant: a container is one deterministic coroutine. Its processes take
// turns, exactly one runs at a time, and control returns to the caller when
// all of them wait. What a container prints, when it does so and how it exits
// depend on its Spec, on the instants it is resumed at and on nothing else: no
// path leads to the host's files, processes, environment, network or clock.
//
// Deviation from DESIGN.md: the shell evaluates mvdan.cc/sh's syntax trees
// with mvdan.cc/sh's expansion, but not with its interp package, whose pipes
// and standard input are the host's file descriptors fed by goroutines of
// their own, which makes FIFOs on the host for <(…), reads the wall clock and
// global random numbers, and knows neither signals nor descriptors above 2.
package program
