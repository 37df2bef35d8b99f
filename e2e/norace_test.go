//go:build !race

package e2e

const raceFactor = 1

func often(n, _ int) int { return n }
