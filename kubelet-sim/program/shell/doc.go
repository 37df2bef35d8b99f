// Package shell runs shell scripts as busybox's ash, dash or bash do: it
// evaluates the syntax trees of mvdan.cc/sh with that module's expansion, as
// processes of a kernel.Machine.
//
// Invariant: every effect of a script goes through its kernel.Proc. A script
// that loops is metered, a value that grows without end is refused.
package shell
