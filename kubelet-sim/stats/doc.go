// Package stats measures what the containers of the simulated nodes use, and
// says it as metrics-server does.
//
// Invariant: a figure depends only on what the container does, the seed and the instant of
// virtual time, however often somebody asks: figures are taken at fixed instants,
// Resolution apart.
package stats
