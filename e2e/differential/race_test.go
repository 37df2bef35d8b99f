//go:build race

package differential

// fewer is by what the number of workloads is divided: the race detector makes a
// workload ten times as dear, and finds in the tenth what it finds in the last.
const fewer = 10
