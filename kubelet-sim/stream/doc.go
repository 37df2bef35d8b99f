// Package stream holds what containers print and hands it to clients, as a
// kubelet does behind kubectl logs.
//
// Invariant: the engine's goroutine alone writes; clients read from any other
// goroutine and never make it wait. Every log is bounded.
package stream
