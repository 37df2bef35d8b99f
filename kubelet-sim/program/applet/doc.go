// Package applet holds the small programs of an image: busybox's applets, and
// GNU's tools where their texts differ, as functions on a kernel.Proc.
//
// Invariant: an applet reads and writes through its Call only, so that it sees
// the container's files, clock and environment, is metered, and prints what
// the real one prints for the options that people use.
package applet
