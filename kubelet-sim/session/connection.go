package session

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stream"
)

// connection is a client's connection to a port in the simulated cluster: of
// kubectl port-forward, or of the API server's proxy subresources. But for key
// and out it belongs to the engine's goroutine.
type connection struct {
	s   *Sessions
	key engine.Key
	out *stream.Output
	end *kernel.End
	// room is closed when the server has read of what it was sent.
	room chan struct{}
	// receiving: receive is under way.
	receiving bool
	// awaits: an answer is on its way.
	awaits bool
}

var _ stream.Program = (*connection)(nil)

// errReset is the end of a connection whose server has closed it.
var errReset = errors.New("connection reset by peer")

// Listens implements stream.Host.
func (s *Sessions) Listens(ctx context.Context, a stream.Address) error {
	var refused error
	err := s.ask(ctx, s.newKey(a.Namespace, a.Pod), "", func(time.Time) { _, refused = s.netns(a) })
	if err != nil {
		return err
	}
	return refused
}

// netns returns the ports at an address; nil, without an error, for a
// kubelet. The error says why nobody can be connected to.
func (s *Sessions) netns(a stream.Address) (*kernel.Netns, error) {
	ns, reachable := s.pods.Netns(a.Namespace, a.Pod), true
	if a.Pod == "" {
		ns, reachable = s.pods.At(a.IP)
	}
	switch {
	case ns == nil || !reachable:
		return nil, stream.ErrUnreachable
	case a.Pod == "" && a.Port == stream.KubeletPort && s.pods.IsNode(a.IP):
		return nil, nil
	case ns.Listener(a.Port) == nil:
		return nil, stream.ErrRefused
	}
	return ns, nil
}

// Connect implements stream.Host.
func (s *Sessions) Connect(ctx context.Context, a stream.Address, c stream.Client) error {
	x := &connection{s: s, key: s.newKey(a.Namespace, a.Pod), out: s.pods.NewOutput()}
	defer x.out.Drop()
	where := fmt.Sprintf("%s:%d", a.IP, a.Port)
	if a.Pod != "" {
		where = fmt.Sprintf("%s/%s:%d", a.Namespace, a.Pod, a.Port)
	}
	var failed error
	if err := s.ask(ctx, x.key, "connect "+where, func(now time.Time) { failed = x.connect(a, now) }); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	err := c.Talk(ctx, x, x.out)
	s.post(x.key, "disconnect "+where, func(now time.Time) {
		x.end.Close(now)
		x.leave()
	})
	return err
}

// connect opens the connection: as from within the Pod, or from a node.
func (x *connection) connect(a stream.Address, now time.Time) error {
	ns, err := x.s.netns(a)
	if err != nil {
		return err
	}
	from := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if a.Pod == "" {
		from = x.s.pods.APIServer()
	}
	if x.end, err = ns.Dial(a.Port, from, now); err != nil {
		return err
	}
	x.s.connections[x.key] = x
	x.end.Tell(x.receive)
	return nil
}

// receive takes over what the server has sent, if the client has room for it.
func (x *connection) receive(at time.Time) {
	if x.receiving {
		return // what the server sends meanwhile is taken in its turn
	}
	x.receiving = true
	defer func() { x.receiving = false }()
	for !x.out.Full() {
		if due := x.end.Due(at); !due.IsZero() {
			x.awaits = true
			x.s.pods.Engine().Poke(x.key) // its step waits for that
			return
		}
		data, closed := x.end.Take(at)
		if len(data) > 0 {
			x.out.Put(false, data)
		}
		if closed {
			x.out.End()
		}
		if closed || len(data) == 0 {
			return
		}
	}
}

// leave forgets the connection, and wakes what waits for room.
func (x *connection) leave() {
	delete(x.s.connections, x.key)
	x.end = nil
	x.tellRoom()
}

func (x *connection) tellRoom() {
	if x.room != nil {
		close(x.room)
		x.room = nil
	}
}

// roomInterval is how often a connection looks whether the server has read. Unit:
// virtual time.
const roomInterval = 10 * time.Millisecond

// step looks whether there is room for what the client has to send.
func (x *connection) step(now time.Time) engine.Wake {
	if x.room != nil && x.end.Room() > 0 {
		x.tellRoom()
	}
	if x.awaits {
		if due := x.end.Due(now); !due.IsZero() {
			return engine.Progress(due)
		}
		x.awaits = false
		x.receive(now)
	}
	if x.room == nil {
		return engine.Wake{}
	}
	return engine.Poll(now.Add(roomInterval))
}

// Input implements stream.Program.
func (x *connection) Input(ctx context.Context, data []byte, eof bool) error {
	what := fmt.Sprintf("send %s/%s %d bytes", x.key.Namespace, x.key.Name, len(data))
	for {
		var full <-chan struct{}
		var failed error
		err := x.s.ask(ctx, x.key, what, func(now time.Time) {
			switch {
			case x.end == nil:
				failed = errReset
			case x.end.Room() == 0:
				x.room = make(chan struct{})
				full = x.room
			case len(data) > 0 && !x.end.Send(append([]byte(nil), data...), now):
				failed = errReset
			case eof:
				x.end.CloseWrite(now)
			}
		})
		if err == nil {
			err = failed
		}
		if err != nil || full == nil {
			return err
		}
		select {
		case <-full:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Resize implements stream.Program: a connection has no size.
func (x *connection) Resize(context.Context, int, int) error { return nil }

// Drained implements stream.Program.
func (x *connection) Drained(ctx context.Context) error {
	return x.s.ask(ctx, x.key, "", func(now time.Time) {
		if x.end != nil {
			x.receive(now)
		}
	})
}
