// Package apiserver serves the Kubernetes API from upstream's own registries.
//
// Defaulting, conversion, validation, strategies, table columns and OpenAPI are
// k8s.io/kubernetes' code over k8s.io/apiserver's generic server, so that a
// client sees exactly what a real cluster of that release answers. What this
// package adds is the seam to kubesim's store, the virtual clock (folder
// registry), and a way for reconcilers to write without HTTP (type Local).
//
// Invariant: nothing here runs on a timer. Informers' caches are filled by the
// store's commits, in the writer's goroutine, so that admission and
// authorization see every write at once and in order.
package apiserver
