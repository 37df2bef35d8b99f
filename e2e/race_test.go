//go:build race

package e2e

// raceFactor is how many times the memory the race detector needs.
const raceFactor = 4
