// Package server holds the programs of images that are neither shells nor
// applets: web servers, databases, interpreters, pause and agnhost. Each
// prints what the real one prints as it starts, listens on its port and ends
// as the real one does.
//
// Invariant: as for applets, all effects go through a kernel.Proc. The Serve
// function of a listener never waits: it may be called from outside the
// container.
package server
