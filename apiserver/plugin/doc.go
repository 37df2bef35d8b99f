// Package plugin has what is ours among the admission plugins: decorators that make
// upstream's plugins repeatable or cheap, and two plugins in place of upstream's, which
// would link code that accesses the host.
//
// Invariant: what a plugin answers follows from the request and from what its listers
// hold. No wall clock, no global random source and no order of a map is in it.
package plugin
