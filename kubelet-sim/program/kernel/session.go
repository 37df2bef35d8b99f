package kernel

import (
	"bytes"
	"io"
	"time"
)

// Session is where descriptors 0 to 2 of a command lead: the container's logs
// and input, or those of an exec.
type Session struct {
	TTY bool

	in      bytes.Buffer
	open    bool // more input may come
	changed waiters
	source  io.Reader
	output  func(Chunk)
	stdin   *Open
	stdout  *Open
	stderr  *Open
	leader  *Proc
	ended   bool
}

// NewSession returns a session. source is read where it is not nil; else open
// says that input may come through Input. With a TTY, standard error goes to
// standard output and lines end with \r\n.
func NewSession(source io.Reader, open, tty bool, output func(Chunk)) *Session {
	s := &Session{TTY: tty, open: open, source: source, output: output}
	s.stdin = newOpen(&terminal{s, false}, "/dev/null")
	s.stdout = newOpen(&terminal{s, false}, "pipe:[1]")
	s.stderr = newOpen(&terminal{s, !tty}, "pipe:[2]")
	if tty {
		s.stdin.name, s.stdout.name, s.stderr.name = "/dev/pts/0", "/dev/pts/0", "/dev/pts/0"
	}
	for _, o := range []*Open{s.stdin, s.stdout, s.stderr} {
		o.refs = 1 // the session outlives its descriptors
	}
	return s
}

// Lead makes p the process whose end is the session's.
func (s *Session) Lead(p *Proc) { s.leader = p }

// Input adds to standard input; eof says that nothing follows.
func (s *Session) Input(m *Machine, data []byte, eof bool) {
	s.in.Write(data)
	if eof {
		s.open = false
	}
	s.changed.wake(m)
}

// IsTTY tells whether descriptor fd of p is a terminal.
func (p *Proc) IsTTY(fd int) bool {
	o := p.FD(fd)
	if o == nil {
		return false
	}
	t, ok := o.handle.(*terminal)
	return ok && t.TTY
}

// HasInput tells whether standard input may ever give something.
func (s *Session) HasInput() bool { return s.open || s.source != nil || s.in.Len() > 0 }

// terminal is one of a session's standard streams.
type terminal struct {
	*Session
	stderr bool
}

func (t *terminal) read(p *Proc, b []byte) (int, error) {
	if t.source != nil {
		return t.source.Read(b)
	}
	for t.in.Len() == 0 {
		if !t.open {
			return 0, io.EOF
		}
		if p.pending != 0 {
			return 0, EINTR
		}
		p.wait(&t.changed, time.Time{})
	}
	return t.in.Read(b)
}

func (t *terminal) write(p *Proc, b []byte) (int, error) {
	if t.output == nil || len(b) == 0 {
		return len(b), nil
	}
	data := bytes.Clone(b)
	if t.TTY {
		data = bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n"))
	}
	t.output(Chunk{At: p.m.now, Stderr: t.stderr, Data: data})
	return len(b), nil
}

func (t *terminal) close(*Machine) {}
