// Package lifecycle runs the Pods that are bound to simulated nodes, as a
// kubelet does: it pulls, creates, starts, restarts and stops their containers
// and reports their status.
//
// Invariant: what the kubelet knows of a Pod is one plain value, podState.
// decide reads it and says what to do, status turns it into the Pod's status;
// both read nothing else but the Pod and the time. Everything that has an
// effect is in the files apply*.go.
//
// A Pod's state is in memory only. After the server starts again it is made
// anew from the Pod's status, see recover.go for what that cannot bring back.
package lifecycle
