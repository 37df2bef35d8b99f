//go:build !race

package program

import "time"

// resumeMax bounds the processor time of one Resume, which the engine waits for. Ten
// thousand steps of some µs each and one piece of work take 5 to 50 ms. Without the
// meter they took from 500 ms to minutes.
const resumeMax = 300 * time.Millisecond

// greedyResumeMax bounds the processor time of one Resume of a greedy program, which
// makes garbage too: that long the whole cluster waits for it.
const greedyResumeMax = 2 * time.Second

// resumes is how many of them are looked at.
const resumes = 60
