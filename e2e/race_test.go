//go:build race

package e2e

// raceFactor is how many times the memory the race detector needs.
const raceFactor = 4

// often is how many times a test does a thing to see that it always ends the same way:
// raced under the race detector, which takes ten times as long, and finds in the second
// run what it finds in the last.
func often(_, raced int) int { return raced }
