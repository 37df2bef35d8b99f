package node

import (
	"fmt"
	"iter"
	"net"
)

// Node is where a simulated node is.
type Node struct {
	// Name is the Node object's name and the node's host name.
	Name string
	// IP is the node's InternalIP. It is never a loopback address: the API
	// server's proxies refuse those.
	IP string
	// PodCIDR is where the IPs of the node's Pods come from.
	PodCIDR string
}

// CountMax bounds the number of nodes: each takes a /24 of 10.244.0.0/14.
const CountMax = 1000

// Ranges returns where the addresses of all nodes, and of their Pods, come from.
func Ranges() iter.Seq2[string, net.IPNet] {
	return func(yield func(string, net.IPNet) bool) {
		_ = yield("Pods", net.IPNet{IP: net.IPv4(10, 244, 0, 0).To4(), Mask: net.CIDRMask(14, 32)}) &&
			yield("nodes", net.IPNet{IP: net.IPv4(10, 0, 0, 0).To4(), Mask: net.CIDRMask(16, 32)})
	}
}

// List returns the nodes node-1 … node-count.
func List(count int) []Node {
	nodes := make([]Node, 0, count)
	for i := 1; i <= count; i++ {
		host := 9 + i // 10.0.0.10 is the first
		nodes = append(nodes, Node{
			Name:    fmt.Sprintf("node-%d", i),
			IP:      fmt.Sprintf("10.0.%d.%d", host/256, host%256),
			PodCIDR: fmt.Sprintf("10.%d.%d.0/24", 244+i/256, i%256),
		})
	}
	return nodes
}
