// Package node keeps the simulated nodes in the API: a Node object for each,
// its status and its Lease, as a kubelet reports them.
//
// Invariant: a node's object is a function of its number, the Config and the
// virtual time; it never tells anything about the host that kubesim runs on.
package node
