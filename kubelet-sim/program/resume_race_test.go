//go:build race

package program

import "time"

// resumeMax bounds the processor time of one Resume under the race detector.
const resumeMax = 6 * time.Second

// greedyResumeMax bounds the processor time of one Resume of a greedy program under the
// race detector, which makes an interpreter some ten times slower.
const greedyResumeMax = 20 * time.Second

// resumes is how many of them are looked at.
const resumes = 15
