package session

import (
	"context"
	"fmt"
	"time"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/cri"
	"github.com/kubesim-dev/kubesim/kubelet-sim/lifecycle"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stream"
)

// session is one client of one program. But for key and out, which do not
// change, and code, which is read after out has ended, it belongs to the engine's
// goroutine.
type session struct {
	s   *Sessions
	in  *lifecycle.Container
	key engine.Key
	out *stream.Output
	// attached: to the container's own program; else command is the program.
	attached bool
	command  cri.Exec
	streams  cri.Streams
	log      *stream.Log // of an attached one
	// speaks: the client has a standard input.
	speaks bool
	// wakeAt is what the engine was last told, room is closed when there is some
	// for input again.
	wakeAt time.Time
	room   chan struct{}
	ended  bool
	code   int32
}

var (
	_ stream.Program   = (*session)(nil)
	_ lifecycle.Client = (*session)(nil)
)

// exec begins a session with a command of its own.
func (x *session) exec(t stream.Target, command []string, c stream.Client, now time.Time) error {
	in, err := x.s.pods.Container(t)
	if err != nil {
		return err
	}
	x.in, x.speaks = in, c.Stdin != nil
	runs := in.During(now, func() {
		x.command, err = in.Exec(program.ExecSpec{
			Command: command, StdinOpen: c.Stdin != nil, TTY: c.TTY, Full: x.out.Full,
			Output: func(chunk program.Chunk) { x.out.Put(chunk.Stderr, chunk.Data) },
		}, now)
		if err == nil {
			x.streams = x.command
			x.begin()
		}
	})
	if !runs { // its end was due, and this step came first
		return lifecycle.NotFound(t.Container)
	}
	return err
}

// attach begins a session with the container's program.
func (x *session) attach(t stream.Target, c stream.Client) error {
	in, err := x.s.pods.Container(t)
	if err != nil {
		return err
	}
	x.in, x.speaks = in, c.Stdin != nil
	x.streams, x.log = in.Streams()
	x.log.Attach(x.out)
	x.begin()
	return nil
}

func (x *session) begin() {
	x.s.live[x.key] = x
	x.in.Follow(x)
}

// wake is when the client's program goes on by itself. That of a client who only
// looks on is none of the session's business.
func (x *session) wake() time.Time {
	if x.attached && !x.speaks {
		return time.Time{}
	}
	return x.streams.WakeAt()
}

// Look implements lifecycle.Client: it takes notice of what the program has done.
func (x *session) Look() {
	if x.command != nil {
		if code, ended := x.command.Exited(); ended {
			x.end(code)
			return
		}
	}
	if x.room != nil && x.streams.Room() {
		close(x.room)
		x.room = nil
	}
	if at := x.wake(); !at.Equal(x.wakeAt) {
		x.s.pods.Engine().Poke(x.key)
	}
}

// end says that the program has ended.
func (x *session) end(code int32) {
	if x.ended {
		return
	}
	x.ended, x.code = true, code
	if x.room != nil {
		close(x.room)
	}
	delete(x.s.live, x.key)
	x.in.Unfollow(x)
	x.out.End()
}

// End implements lifecycle.Client: the container has ended.
func (x *session) End() {
	code := int32(podstate.ExitKilled)
	if x.command != nil {
		if c, ended := x.command.Exited(); ended {
			code = c
		}
	}
	x.end(code)
}

// hangup says that the client has gone.
func (x *session) hangup(now time.Time) {
	if x.ended {
		return
	}
	if x.attached {
		x.log.Detach(x.out)
		if x.speaks && x.in.StdinOnce() {
			x.in.During(now, func() { x.streams.Input(nil, true, now) })
		}
	} else {
		x.in.During(now, func() { x.command.Hangup(now) })
	}
	x.end(podstate.ExitKilled)
}

// Input implements stream.Program.
func (x *session) Input(ctx context.Context, data []byte, eof bool) error {
	what := fmt.Sprintf("stdin %s/%s %d bytes", x.key.Namespace, x.key.Name, len(data))
	for {
		var full <-chan struct{}
		err := x.s.ask(ctx, x.key, what, func(now time.Time) {
			switch {
			case x.ended:
			case !x.streams.Room():
				x.room = make(chan struct{})
				full = x.room
			case !eof || !x.attached || x.in.StdinOnce():
				x.in.During(now, func() { x.streams.Input(data, eof, now) })
			}
		})
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

// Resize implements stream.Program.
func (x *session) Resize(ctx context.Context, cols, rows int) error {
	return x.tell(ctx, fmt.Sprintf("resize %s/%s %dx%d", x.key.Namespace, x.key.Name, cols, rows), func(now time.Time) {
		x.streams.Resize(cols, rows, now)
	})
}

// Drained implements stream.Program.
func (x *session) Drained(ctx context.Context) error {
	return x.tell(ctx, fmt.Sprintf("drained %s/%s", x.key.Namespace, x.key.Name), func(now time.Time) { x.streams.Drained(now) })
}

func (x *session) tell(ctx context.Context, what string, f func(now time.Time)) error {
	return x.s.ask(ctx, x.key, what, func(now time.Time) {
		if !x.ended {
			x.in.During(now, func() { f(now) })
		}
	})
}
