// Package network is what the network and the DNS of a simulated cluster know:
// which names there are, and who answers behind an address. It stands for
// kube-proxy and CoreDNS, and reads Services, EndpointSlices and Pods.
//
// Invariant: an answer depends on the View and the arguments and on nothing
// else; no packet leaves the process.
package network
