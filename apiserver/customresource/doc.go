// Package customresource serves the objects of CustomResourceDefinitions.
//
// Invariant: what is served changes only in Apply, which the engine calls in a step. So
// everybody sees the change between the same two steps in every run. Upstream does the
// same work in goroutines that watch the definitions.
//
// Upstream's handler answers the requests (k8s.io/apiextensions-apiserver pkg/apiserver
// v0.37.2). There are two of them. The builder makes registries, and nobody sends it
// requests. The front answers requests with the builder's registries, after they have
// been stamped, and makes none. See upstream.go.
//
// The objects of one definition are in one store, as they were written. Each version has
// an adapter that decodes them by its schema. See adapter.go.
package customresource
