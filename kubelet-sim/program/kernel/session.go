package kernel

import (
	"bytes"
	"io"
	"time"
)

// inputMax is from where on a session wants no more input before some of it was
// read. Unit: bytes.
const inputMax = 64 << 10

// SessionConfig says where a session's streams lead.
type SessionConfig struct {
	// Source is standard input where it is not nil. Else Open says that input
	// may come through Session.Input. Neither: standard input is at its end.
	Source io.Reader
	Open   bool
	// TTY makes one terminal of the three streams.
	TTY bool
	// Output takes what is written, nil if nobody wants it. Full, where it is not
	// nil, tells that it can take no more: a writer then waits for
	// Session.Drained.
	Output func(Chunk)
	Full   func() bool
}

// Session is where descriptors 0 to 2 of a command lead: the container's logs
// and input, or those of an exec.
type Session struct {
	cfg SessionConfig
	tty *tty // nil: pipes

	// in holds what was not read yet; with a TTY an empty part is an end of file.
	in      [][]byte
	inSize  int
	changed waiters // for input
	drained waiters // for room in the output
	// foreground is the process group that the terminal's signals go to.
	foreground int

	stdin, stdout, stderr *Open
}

// NewSession returns a session.
func NewSession(cfg SessionConfig) *Session {
	s := &Session{cfg: cfg}
	s.stdin = newOpen(&stdio{s, false}, "/dev/null")
	s.stdout = newOpen(&stdio{s, false}, "pipe:[1]")
	s.stderr = newOpen(&stdio{s, !cfg.TTY}, "pipe:[2]")
	if cfg.TTY {
		s.tty = newTTY()
		s.stdin.name, s.stdout.name, s.stderr.name = ttyName, ttyName, ttyName
	}
	for _, o := range []*Open{s.stdin, s.stdout, s.stderr} {
		o.refs = 1 // the session outlives its descriptors
	}
	return s
}

// Input adds to standard input; eof says that nothing follows. A terminal edits
// what is typed and may send signals.
func (s *Session) Input(m *Machine, data []byte, eof bool) {
	switch {
	case !s.cfg.Open:
	case s.tty != nil:
		s.tty.input(m, s, data)
	default:
		s.push(bytes.Clone(data))
	}
	if eof {
		s.cfg.Open = false
	}
	s.changed.wake(m)
}

func (s *Session) push(part []byte) {
	if len(part) > 0 || s.tty != nil {
		s.in = append(s.in, part)
		s.inSize += len(part)
	}
}

// Room tells whether Input may be called with more: what it is given is kept
// until a process reads it.
func (s *Session) Room() bool { return s.inSize < inputMax }

// Drained says that the output is not full any more.
func (s *Session) Drained(m *Machine) { s.drained.wake(m) }

// Hangup says that the client is gone: input ends, output is dropped, and
// the session's processes get SIGHUP.
func (s *Session) Hangup(m *Machine) {
	s.cfg.Open, s.cfg.Output, s.cfg.Full = false, nil, nil
	s.changed.wake(m)
	s.drained.wake(m)
	for _, p := range m.Processes() {
		if p.session == s {
			p.Kill(SIGHUP, false)
		}
	}
}

// WakeAt is when a process of the session goes on by itself; zero if all of them
// wait for something else, or only poll (Proc.Poll).
func (s *Session) WakeAt(m *Machine) time.Time {
	if m.exited || m.closed {
		return time.Time{}
	}
	for _, t := range m.queue {
		if t.session == s {
			return m.now.Add(m.busy)
		}
	}
	var at time.Time
	for _, t := range m.tasks {
		if t.session == s && !t.polls && !t.wakeAt.IsZero() && (at.IsZero() || t.wakeAt.Before(at)) {
			at = t.wakeAt
		}
	}
	return at
}

// stdio is one of a session's standard streams.
type stdio struct {
	*Session
	stderr bool
}

// readable tells whether a read returns at once.
func (t *stdio) readable() bool { return t.cfg.Source != nil || len(t.in) > 0 || !t.cfg.Open }

func (t *stdio) read(p *Proc, b []byte) (int, error) {
	if t.cfg.Source != nil {
		return t.cfg.Source.Read(b)
	}
	for !t.readable() {
		if p.pending != 0 {
			return 0, EINTR
		}
		p.wait(&t.changed, time.Time{})
	}
	if len(t.in) == 0 {
		return 0, io.EOF
	}
	n := copy(b, t.in[0])
	t.inSize -= n
	if t.in[0] = t.in[0][n:]; len(t.in[0]) == 0 {
		t.in = t.in[1:]
	}
	if n == 0 && len(b) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (t *stdio) write(p *Proc, b []byte) (int, error) {
	for t.cfg.Full != nil && t.cfg.Full() {
		if p.pending != 0 {
			return 0, EINTR
		}
		p.wait(&t.drained, time.Time{})
	}
	t.print(p.m, t.stderr, b)
	return len(b), nil
}

// print hands b over as the terminal, if it is one, would show it.
func (s *Session) print(m *Machine, stderr bool, b []byte) {
	if s.cfg.Output == nil || len(b) == 0 {
		return
	}
	data := bytes.Clone(b)
	if s.tty != nil && s.tty.mode.Output {
		data = bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n"))
	}
	s.cfg.Output(Chunk{At: m.now, Stderr: stderr, Data: data})
}

func (t *stdio) close(*Machine) {}
