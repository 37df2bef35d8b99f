package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// Call is one conversation of the API server with a server in the cluster, for example
// with an admission webhook.
type Call struct {
	// To is whom to call: a Pod, a node, or a Service.
	To netip.AddrPort
	// What says what is asked, in the event log.
	What string
	// Timeout bounds the conversation. Unit: virtual time.
	Timeout time.Duration
	// Talk speaks over a connection, on one goroutine. It must do nothing else that waits.
	Talk func(net.Conn) error
}

// Exchange is a Call that is made. It belongs to the engine's goroutine.
//
// Invariant: Talk runs only within a step of the engine, on a coroutine. When it waits
// for the server, the step goes on, and a later step of the exchange's own key resumes
// it.
type Exchange struct {
	Call
	s        *Sessions
	key      engine.Key
	end      *kernel.End
	in       []byte
	now      time.Time
	deadline time.Time
	// wakeAt is when the exchange goes on, if nothing arrives.
	wakeAt  time.Time
	resumes func() (struct{}, bool)
	running bool
	over    bool
	late    bool
	err     error
	// then is called at the end.
	then func()
	done chan struct{}
}

// Make makes a call for a client's write, which is on stage, or for a request that is
// not. It returns when Talk has, or when time is up.
func (s *Sessions) Make(ctx context.Context, c Call, onStage bool) error {
	x := s.newExchange(c)
	s.post(x.key, c.What, x.begin)
	var err error
	if onStage {
		err = s.pods.Engine().Lend(ctx, func() bool { return x.over })
	} else {
		select {
		case <-x.done:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err != nil {
		s.post(x.key, "", func(time.Time) { x.cancel(err) })
		return err
	}
	return x.err
}

// MakeInStep makes a call within the running step. If the answer does not come at once,
// then is called when the exchange is over.
func (s *Sessions) MakeInStep(c Call, then func()) *Exchange {
	x := s.newExchange(c)
	x.begin(s.pods.Engine().Now())
	if !x.over {
		x.then = then
		s.pods.Engine().Poke(x.key)
	}
	return x
}

// Over reports whether the exchange is over, and how it ended.
func (x *Exchange) Over() (over bool, err error) { return x.over, x.err }

// Deadline is when it is over at the latest.
func (x *Exchange) Deadline() time.Time { return x.deadline }

func (s *Sessions) newExchange(c Call) *Exchange {
	return &Exchange{Call: c, s: s, key: s.newKey("", "call"), done: make(chan struct{})}
}

// begin starts the coroutine, and lets it run until it waits.
func (x *Exchange) begin(now time.Time) {
	x.deadline = engine.After(now, x.Timeout)
	x.s.exchanges[x.key] = x
	x.resumes, _ = iter.Pull(func(wait func(struct{}) bool) {
		talk := &talking{x, wait}
		if x.err = talk.connect(); x.err == nil {
			x.err = x.Talk(talk)
			x.end.Close(x.now)
		}
	})
	x.resume(now)
}

// resume lets the coroutine run until it waits or is over.
func (x *Exchange) resume(now time.Time) {
	if x.over || x.running {
		return
	}
	x.now, x.running = now, true
	_, more := x.resumes()
	x.running = false
	if more {
		return
	}
	if x.late {
		x.err = context.DeadlineExceeded
	}
	x.over = true
	delete(x.s.exchanges, x.key)
	close(x.done)
	if x.then != nil {
		x.then()
	}
}

// step is the step of the exchange's key.
func (x *Exchange) step(now time.Time) engine.Wake {
	x.resume(now)
	if x.over {
		return engine.Wake{}
	}
	return engine.Progress(x.wakeAt)
}

// cancel ends an exchange for which nobody waits any more.
func (x *Exchange) cancel(err error) {
	x.deadline = x.now
	for range 2 { // a server that still answers is heard once
		x.resume(x.now)
	}
	x.err = err
}

// talking is the coroutine's view of an exchange: a net.Conn.
type talking struct {
	x    *Exchange
	wait func(struct{}) bool
}

var _ net.Conn = (*talking)(nil)

// await ends the step until an instant, or until something has arrived.
func (t *talking) await(until time.Time) error {
	x := t.x
	if !x.now.Before(x.deadline) {
		x.late = true
		return os.ErrDeadlineExceeded
	}
	if x.wakeAt = x.deadline; !until.IsZero() && until.Before(x.deadline) {
		x.wakeAt = until
	}
	t.wait(struct{}{})
	return nil
}

// connect opens the connection, as a node does.
//
// Deviation: it takes no time, as all that the API server says to Pods.
func (t *talking) connect() error {
	x := t.x
	e := x.s.pods.Engine()
	route := x.s.pods.Route(x.s.pods.APIServer(), x.To, e.Random().Derive(fmt.Sprintf("call/%s/%d", x.To, x.now.UnixNano())))
	if route.Err == nil {
		x.end, route.Err = route.To.Dial(route.Port, route.From, x.now)
	} else {
		for failed := x.now.Add(route.Wait); x.now.Before(failed) && !errors.Is(route.Err, kernel.ECONNREFUSED); {
			if err := t.await(failed); err != nil {
				return err
			}
		}
	}
	if route.Err != nil {
		return &net.OpError{Op: "dial", Net: "tcp", Addr: net.TCPAddrFromAddrPort(x.To), Err: os.NewSyscallError("connect", errno(route.Err))}
	}
	x.end.Tell(func(time.Time) {
		if !x.running {
			e.Poke(x.key)
		}
	})
	return nil
}

// errno is an error of the simulated network as the host's.
func errno(err error) error {
	switch {
	case errors.Is(err, kernel.ECONNREFUSED):
		return syscall.ECONNREFUSED
	case errors.Is(err, kernel.EHOSTUNREACH):
		return syscall.EHOSTUNREACH
	case errors.Is(err, kernel.ENETUNREACH):
		return syscall.ENETUNREACH
	}
	return syscall.ETIMEDOUT
}

// Read implements net.Conn.
func (t *talking) Read(b []byte) (int, error) {
	x := t.x
	for len(x.in) == 0 {
		due := x.end.Due(x.now)
		if due.IsZero() {
			data, closed := x.end.Take(x.now)
			if x.in = data; len(data) > 0 {
				break
			}
			if closed {
				return 0, io.EOF
			}
		}
		if err := t.await(due); err != nil {
			return 0, err
		}
	}
	n := copy(b, x.in)
	x.in = x.in[n:]
	return n, nil
}

// Write implements net.Conn.
func (t *talking) Write(b []byte) (int, error) {
	if !t.x.end.Send(append([]byte(nil), b...), t.x.now) {
		return 0, os.NewSyscallError("write", syscall.EPIPE)
	}
	return len(b), nil
}

// Close implements net.Conn. The exchange closes the connection at its end.
func (t *talking) Close() error { return nil }

// LocalAddr implements net.Conn.
func (t *talking) LocalAddr() net.Addr { return &net.TCPAddr{IP: t.x.s.pods.APIServer().AsSlice()} }

// RemoteAddr implements net.Conn.
func (t *talking) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(t.x.To) }

// SetDeadline implements net.Conn. The exchange has a deadline of its own.
func (t *talking) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn.
func (t *talking) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn.
func (t *talking) SetWriteDeadline(time.Time) error { return nil }
