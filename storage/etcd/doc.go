// Package etcd keeps a cluster in etcd, for several servers at a time, through
// upstream's etcd3 store and watch cache.
//
// Invariants:
//   - An observer sees every object that exists when it starts, and after that
//     every commit of any server, once and in revision order.
//   - A write returns when it is durable and this server's observers have seen
//     it. Other servers' observers see it some milliseconds later.
//
// # The keys
//
//	PREFIX/RESOURCE/…          the objects: upstream's etcd3 store, k8s.io/apiserver v0.37.2
//	PREFIX/kubesim/NAME        what the servers share and is no object, see Once
//	PREFIX/kubesim/revision    written by NewRevision
//	compact_rev_key            upstream's compactor, which has one for all of an etcd
//
// The objects are not where kube-apiserver has them (batch/jobs, not jobs), and
// not all of its resources are served. So the two cannot share a prefix.
package etcd
