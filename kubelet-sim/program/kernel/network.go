package kernel

import (
	"slices"
	"time"
)

// Network is what a container's clients reach. An error's text is what the
// client prints.
type Network interface {
	// Lookup resolves a host name to addresses.
	Lookup(host string) ([]string, error)
	// Do sends a request to a server and returns its answer and how long it
	// takes. Unit of the wait: virtual time.
	Do(req Request) (Response, time.Duration, error)
}

// Request is what a client asks of a server.
type Request struct {
	Address string // IP:port
	Method  string
	Path    string
	Host    string
	Header  map[string]string
	Body    []byte
}

// Response is a server's answer.
type Response struct {
	Status int
	Header map[string]string
	Body   []byte
}

// Listener is a server's port.
type Listener struct {
	Port  int32
	Serve func(Request) Response // nil: accepts, never answers
	proc  *Proc
}

// Listen opens a TCP port until p ends. It is false if the port is taken.
func (p *Proc) Listen(port int32, serve func(Request) Response) bool {
	for _, l := range p.m.servers {
		if l.Port == port {
			return false
		}
	}
	p.m.servers = append(p.m.servers, &Listener{port, serve, p})
	return true
}

// Listening returns the open ports, in ascending order.
func (m *Machine) Listening() []int32 {
	ports := make([]int32, 0, len(m.servers))
	for _, l := range m.servers {
		ports = append(ports, l.Port)
	}
	slices.Sort(ports)
	return ports
}

// Server returns who listens on a port, or nil.
func (m *Machine) Server(port int32) *Listener {
	for _, l := range m.servers {
		if l.Port == port {
			return l
		}
	}
	return nil
}

// Network is the container's, or nil.
func (p *Proc) Network() Network { return p.m.cfg.Network }
