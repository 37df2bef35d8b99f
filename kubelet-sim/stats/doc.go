// Package stats measures what the containers of the simulated nodes use, and
// says it as metrics-server does.
//
// Invariant: a figure depends on what the container does, the seed and the
// instant of virtual time alone, not on who asks, or when: the kubelets are looked at
// at fixed instants, Resolution apart.
package stats
