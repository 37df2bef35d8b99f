//go:build !race

package differential

const fewer = 1
