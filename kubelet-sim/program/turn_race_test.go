//go:build race

package program

import "time"

// resumeMax bounds the processor time of one Resume under the race detector.
const resumeMax = 6 * time.Second

// turnMax bounds one turn of a greedy program under the race detector, which
// makes an interpreter some ten times slower. Unit: wall time.
const turnMax = 20 * time.Second

// turns is how many of them are looked at.
const turns = 15
