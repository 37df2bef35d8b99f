// Package registry adapts upstream's registries to a simulated cluster. It stamps
// virtual time and seeded randomness on what they write, shifts time before it is
// printed, and replaces the subresources that upstream answers from a kubelet.
package registry
