//go:build !race

package program

import "time"

// turnMax bounds one turn of a greedy program: that long the whole cluster
// waits for it. Unit: wall time.
const turnMax = 2 * time.Second

// turns is how many of them are looked at.
const turns = 60
