//go:build race

package storage

// raceEnabled: tests are some ten times slower.
const raceEnabled = true
