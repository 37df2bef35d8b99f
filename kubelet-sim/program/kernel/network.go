package kernel

import (
	"net/netip"
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// What a connection may fail with, in Linux' words.
const (
	ECONNREFUSED vfs.Error = "Connection refused"
	ETIMEDOUT    vfs.Error = "Connection timed out"
	EHOSTUNREACH vfs.Error = "No route to host"
	ENETUNREACH  vfs.Error = "Network is unreachable"
	EADDRINUSE   vfs.Error = "Address already in use"
	// ETIME says that the caller's own timeout is over.
	ETIME vfs.Error = "Timer expired"
)

// Network is what lies beyond a Pod. Its methods are called while a program
// runs and return at once.
type Network interface {
	// Query asks the cluster's DNS for the records of a type that a fully
	// qualified name has.
	Query(name string, t RecordType) Answer
	// Route finds the way to an address. draw is a random number, which chooses
	// between several servers behind one address.
	Route(to netip.AddrPort, draw uint64) Route
	// Alive tells whether somebody answers a ping to an address.
	Alive(addr netip.Addr) bool
}

// Route is the way to an address.
type Route struct {
	// From is the client's address as the server sees it.
	From netip.Addr
	// To and Port are where a connection leads in the end; nil if nowhere.
	To   *Netns
	Port int32
	// Wait is how long it takes until a connection is there, or has failed with
	// Err. Unit: virtual time.
	Wait time.Duration
	Err  error
	// Past says that the client does once more what it has done: its requests have cost
	// the server already.
	Past bool
}

// RecordType is a type of DNS records.
type RecordType string

// The types that a cluster has.
const (
	A     RecordType = "A"
	AAAA  RecordType = "AAAA"
	CNAME RecordType = "CNAME"
	PTR   RecordType = "PTR"
	SRV   RecordType = "SRV"
)

// Record is one of an answer. Value is as dig prints it, without a last dot.
type Record struct {
	Name  string
	Type  RecordType
	Value string
}

// Answer is what a DNS server says.
type Answer struct {
	Code    Rcode
	Records []Record
}

// Rcode is the code of an answer.
type Rcode string

// The codes that a cluster's DNS gives. An answer without records, but with
// NOERROR, says that the name has others.
const (
	NOERROR  Rcode = "NOERROR"
	NXDOMAIN Rcode = "NXDOMAIN"
	SERVFAIL Rcode = "SERVFAIL"
)

// Network is what lies beyond the Pod; nil if there is nothing.
func (p *Proc) Network() Network { return p.m.cfg.Network }

// Connect opens a TCP connection. It waits as long as the network takes, but
// not longer than timeout, if that is not negative.
func (p *Proc) Connect(to netip.AddrPort, timeout time.Duration) (*Open, error) {
	p.Step(1)
	route := p.route(to)
	if timeout >= 0 && route.Wait > timeout {
		p.Sleep(timeout)
		return nil, ETIME
	}
	if route.Wait > 0 {
		p.Sleep(route.Wait)
	}
	if route.Err != nil {
		return nil, route.Err
	}
	end, err := route.To.dial(route.Port, route.From, p.m.cfg.Netns.Account, route.Past, p.m.now)
	if err != nil {
		return nil, err
	}
	return newOpen(&socket{end}, "socket:["+to.String()+"]"), nil
}

func (p *Proc) route(to netip.AddrPort) Route {
	switch {
	case to.Addr().IsLoopback() || to.Addr().IsUnspecified():
		return Route{From: netip.AddrFrom4([4]byte{127, 0, 0, 1}), To: p.m.cfg.Netns, Port: int32(to.Port())}
	case p.m.cfg.Network == nil:
		return Route{Err: ENETUNREACH}
	}
	p.m.dials++
	return p.m.cfg.Network.Route(to, mix(p.m.cfg.Seed+p.m.dials))
}

// Woken is called where something outside a machine has given it work, with the
// instant at which it is to be resumed.
func (m *Machine) woken(at time.Time) {
	if m.current == nil && m.cfg.Woken != nil && !m.closed && !m.exited {
		m.cfg.Woken(at)
	}
}
