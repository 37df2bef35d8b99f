// Package apiserver serves the Kubernetes API from upstream's own registries.
//
// Defaulting, conversion, validation, strategies, table columns and OpenAPI are the
// code of k8s.io/kubernetes over k8s.io/apiserver's generic server. So a client sees
// exactly what a real cluster of that release answers. This package adds the seam to
// kubesim's store, the virtual clock (folder registry), and a way for reconcilers to
// write without HTTP (type Local).
//
// Invariant: nothing here runs on a timer. The store's commits fill the informers'
// caches, in the writer's goroutine. So admission and authorization see every write at
// once and in order.
package apiserver
