//go:build !race

package program

import "time"

// resumeMax bounds the processor time of one Resume, which the engine waits for. Ten
// thousand steps of some µs each and one piece of work take 5 to 50 ms. Without the
// meter they took from 500 ms to minutes.
const resumeMax = 300 * time.Millisecond

// turnMax bounds one turn of a greedy program: that long the whole cluster
// waits for it. Unit: wall time.
const turnMax = 2 * time.Second

// turns is how many of them are looked at.
const turns = 60
