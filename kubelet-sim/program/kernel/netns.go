package kernel

import (
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// Netns is a network namespace: the ports of the containers of one Pod.
type Netns struct {
	// Account is charged with what its containers' connections hold; nil for nobody.
	Account   Account
	listeners []*Listener
}

// Service answers on a port without waiting: it may be called while another
// container runs. It is given what has arrived and was not used yet, and says how
// much it uses, what it answers and whether it closes the connection then.
type Service func(from netip.Addr, in []byte) (used int, out Sent, done bool)

// Sent is what a service answers: data, and what follows in a file that is open, as
// sendfile(2) sends it. It may be nil.
type Sent struct {
	Data []byte
	File *vfs.File
	// After is how long the answer takes. Unit: virtual time.
	After time.Duration
}

func (s Sent) empty() bool { return len(s.Data) == 0 && s.File == nil }

// Listener is a server's port.
type Listener struct {
	Port int32
	// Serve answers HTTP requests; nil if the server does not speak HTTP.
	Serve   func(Request) Response
	service Service
	// open, if set, returns the service of one connection, and what ends it.
	open func() (Service, func())
	// secure says that Serve answers over TLS.
	secure bool
	// waiting are connections for Accept, if accepts.
	accepts bool
	waiting []*End
	arrived waiters
	proc    *Proc
}

// Listen opens a TCP port of an HTTP server until p ends. It is false if the
// port is taken. serve must not wait; if it is nil the server accepts
// connections and never answers.
func (p *Proc) Listen(port int32, serve func(Request) Response) bool {
	if serve == nil {
		return p.listen(&Listener{Port: port, service: func(_ netip.Addr, in []byte) (int, Sent, bool) { return len(in), Sent{}, false }})
	}
	return p.listen(&Listener{Port: port, Serve: serve, service: p.http(serve, bodyMax)})
}

// ListenService opens a TCP port of another server.
func (p *Proc) ListenService(port int32, s Service) bool {
	return p.listen(&Listener{Port: port, service: s})
}

// ListenStream opens a TCP port whose connections p takes with Accept; nil if
// the port is taken.
func (p *Proc) ListenStream(port int32) *Listener {
	l := &Listener{Port: port, accepts: true}
	if !p.listen(l) {
		return nil
	}
	return l
}

func (p *Proc) listen(l *Listener) bool {
	n := p.m.cfg.Netns
	if n.Listener(l.Port) != nil {
		return false
	}
	l.proc = p
	n.listeners = append(n.listeners, l)
	return true
}

// Unlisten closes a port; a process that waits in Accept is refused.
func (p *Proc) Unlisten(l *Listener) {
	n := p.m.cfg.Netns
	n.listeners = slices.DeleteFunc(n.listeners, func(o *Listener) bool { return o == l })
	for _, end := range l.waiting {
		end.Close(p.m.now)
	}
	l.waiting = nil
}

// Accept waits for a connection for at most d, or forever if d is negative. It
// is nil if none came, or a signal that p handles.
func (p *Proc) Accept(l *Listener, d time.Duration) *Open {
	deadline := time.Time{}
	if d >= 0 {
		deadline = p.m.now.Add(d)
	}
	for len(l.waiting) == 0 {
		if p.pending != 0 || d >= 0 && !p.m.now.Before(deadline) {
			return nil
		}
		p.wait(&l.arrived, deadline)
	}
	end := l.waiting[0]
	l.waiting = l.waiting[1:]
	return newOpen(&socket{end}, "socket:["+end.remote.String()+"]")
}

// Listening returns the open ports, in ascending order.
func (n *Netns) Listening() []int32 {
	ports := make([]int32, 0, len(n.listeners))
	for _, l := range n.listeners {
		ports = append(ports, l.Port)
	}
	slices.Sort(ports)
	return ports
}

// Listener returns the listener of a port, or nil.
func (n *Netns) Listener(port int32) *Listener {
	for _, l := range n.listeners {
		if l.Port == port {
			return l
		}
	}
	return nil
}

// Dial opens a connection to a port and returns the client's end of it; at is
// the present instant. It may be called from outside every container, on the
// goroutine that resumes them.
func (n *Netns) Dial(port int32, from netip.Addr, at time.Time) (*End, error) {
	return n.dial(port, from, nil, false, at)
}

// backlogMax is how many connections wait to be accepted, as net.core.somaxconn.
const backlogMax = 4096

func (n *Netns) dial(port int32, from netip.Addr, account Account, past bool, at time.Time) (*End, error) {
	l := n.Listener(port)
	if l == nil {
		return nil, ECONNREFUSED
	}
	if len(l.waiting) >= backlogMax {
		return nil, ETIMEDOUT
	}
	client, server := newConnection(from, account, n.Account)
	server.past = past
	if l.accepts {
		l.waiting = append(l.waiting, server)
		wakeAt(&l.arrived, at)
		return client, nil
	}
	service, end := l.service, func() {}
	if l.open != nil {
		service, end = l.open()
	}
	server.in.tell = func(at time.Time) { l.serve(server, service, end, at) }
	server.out.drained = server.in.tell
	return client, nil
}

// Do asks the HTTP server on a port, as Dial. It is false if nothing listens
// there; a server that does not speak HTTP answers with status 0.
func (n *Netns) Do(port int32, req Request, at time.Time) (Response, bool) {
	l := n.Listener(port)
	switch {
	case l == nil:
		return Response{}, false
	case l.Serve == nil:
		return Response{}, true
	case l.secure && !req.Secure:
		return Response{Status: http.StatusBadRequest, Body: []byte(plainToSecure), Secure: true}, true
	}
	var res Response
	l.called(at, func() {
		if res = l.Serve(req); res.Status != 0 {
			res.After += l.proc.m.spend(res.CPU)
		}
	})
	res.Secure = l.secure
	return res, true
}

// serve lets a connection's service see what has arrived. gone is called when the
// service has closed the connection.
func (l *Listener) serve(end *End, service Service, gone func(), at time.Time) {
	for !end.out.closed && !end.out.busy() && (len(end.in.data) > 0 || end.in.closed) {
		var used int
		var out Sent
		var done bool
		l.called(at, func() {
			m := l.proc.m
			m.past = end.past
			if used, out, done = service(end.remote, end.in.data); l.Serve == nil && used > 0 {
				out.After += m.spend(RequestCPU)
			}
			m.past = false
		})
		end.in.drop(used, at)
		done = done || end.in.closed && used == 0
		end.out.send(out)
		if out.After > 0 {
			end.out.held = at.Add(out.After)
		}
		if done {
			end.out.closed = true
		}
		if end.out.closed {
			end.in.abandon()
			gone()
		}
		if !out.empty() || end.out.closed {
			end.out.signal(at)
		}
		if used == 0 {
			return
		}
	}
}

// send adds what a service answers. Where the host has no room for it the connection
// ends, as that of a server that has crashed.
func (f *flow) send(s Sent) {
	size := int64(len(s.Data))
	switch {
	case f.gone || s.empty():
		return
	case !f.account.Hold(size):
		f.closed = true
		return
	}
	f.charged += size
	f.put(s.Data)
	if f.file = s.File; f.file != nil {
		f.file.Keep()
	}
	f.fill()
}

// busy reports whether a server is still writing its last answer.
func (f *flow) busy() bool { return f.file != nil || len(f.data) >= flowMax }

// called runs what belongs to the listener's container at an instant, which the
// container may not have reached yet.
func (l *Listener) called(at time.Time, f func()) {
	m := l.proc.m
	if at.After(m.now) {
		m.now = at
	}
	f()
	if len(m.queue) > 0 {
		m.woken(at)
	}
}
