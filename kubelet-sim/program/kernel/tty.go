package kernel

import (
	"bytes"
	"unicode/utf8"
)

// ttyName is what a session's terminal is called.
const ttyName = "/dev/pts/0"

// The characters that a terminal edits lines and sends signals with. Source: the
// kernel's INIT_C_CC, include/asm-generic/termios.h of Linux.
const (
	charINTR  = 3  // ^C
	charEOF   = 4  // ^D
	charBS    = 8  // ^H
	charKILL  = 21 // ^U
	charWERA  = 23 // ^W
	charSUSP  = 26 // ^Z
	charQUIT  = 28 // ^\
	charERASE = 127
)

// typedMax bounds a line that is being typed, as N_TTY_BUF_SIZE. Unit: bytes.
const typedMax = 4096

// Mode is how a terminal treats what passes through it, stty's settings.
type Mode struct {
	Canonical bool // icanon: input is edited and read line by line
	Echo      bool // echo
	Signals   bool // isig: ^C, ^\
	MapCR     bool // icrnl: input's \r is \n
	Output    bool // opost onlcr: output's \n is \r\n
}

// SaneMode is how a terminal begins, RawMode is cfmakeraw's.
func SaneMode() Mode {
	return Mode{Canonical: true, Echo: true, Signals: true, MapCR: true, Output: true}
}

// RawMode leaves all editing to the program.
func RawMode() Mode { return Mode{} }

// tty is the line discipline of a terminal. Deviation: jobs are not stopped, so
// that ^Z does nothing.
type tty struct {
	mode       Mode
	typed      []byte // of the line that is not finished
	cols, rows int
}

func newTTY() *tty { return &tty{mode: SaneMode()} }

// input takes what a user types.
func (t *tty) input(m *Machine, s *Session, data []byte) {
	var raw []byte
	for _, c := range data {
		if t.mode.MapCR && c == '\r' {
			c = '\n'
		}
		switch sig := ttySignal(c); {
		case t.mode.Signals && sig != 0:
			raw, t.typed, s.in, s.inSize = nil, nil, nil, 0
			t.echo(m, s, c)
			s.signal(m, sig)
		case t.mode.Signals && c == charSUSP:
			t.echo(m, s, c)
		case t.mode.Canonical:
			t.edit(m, s, c)
		default:
			raw = append(raw, c)
			t.echo(m, s, c)
		}
	}
	if len(raw) > 0 {
		s.push(raw)
	}
}

func ttySignal(c byte) Signal {
	switch c {
	case charINTR:
		return SIGINT
	case charQUIT:
		return SIGQUIT
	}
	return 0
}

// edit takes one character of a line.
func (t *tty) edit(m *Machine, s *Session, c byte) {
	switch c {
	case '\n':
		t.echo(m, s, c)
		s.push(append(t.typed, c))
		t.typed = nil
	case charEOF:
		s.push(t.typed)
		t.typed = nil
	case charERASE, charBS:
		t.erase(m, s, 1)
	case charKILL:
		t.erase(m, s, len(t.typed))
	case charWERA:
		word := bytes.TrimRight(t.typed, " \t")
		t.erase(m, s, utf8.RuneCount(t.typed[bytes.LastIndexAny(word, " \t")+1:]))
	default:
		if len(t.typed) >= typedMax {
			return
		}
		t.typed = append(t.typed, c)
		t.echo(m, s, c)
	}
}

// erase takes back up to n typed characters.
func (t *tty) erase(m *Machine, s *Session, n int) {
	for ; n > 0 && len(t.typed) > 0; n-- {
		last, size := utf8.DecodeLastRune(t.typed)
		t.typed = t.typed[:len(t.typed)-size]
		if !t.mode.Echo {
			continue
		}
		s.print(m, false, []byte("\b \b"))
		if last < ' ' || last == charERASE { // it was shown as ^X
			s.print(m, false, []byte("\b \b"))
		}
	}
}

// echo shows a typed character, a control character as ^X.
func (t *tty) echo(m *Machine, s *Session, c byte) {
	switch {
	case !t.mode.Echo:
	case c == charERASE:
		s.print(m, false, []byte("^?"))
	case c < ' ' && c != '\n' && c != '\t':
		s.print(m, false, []byte{'^', c + '@'})
	default:
		s.print(m, false, []byte{c})
	}
}

// signal sends a signal to the foreground processes.
func (s *Session) signal(m *Machine, sig Signal) {
	for _, p := range m.Processes() {
		if p.session == s && p.PGID == s.foreground {
			p.Kill(sig, false)
		}
	}
}

// Resize says how large the terminal's window is, in characters.
func (s *Session) Resize(m *Machine, cols, rows int) {
	if s.tty == nil || s.tty.cols == cols && s.tty.rows == rows {
		return
	}
	s.tty.cols, s.tty.rows = cols, rows
	s.signal(m, SIGWINCH)
}

// terminal returns the terminal behind descriptor fd of p, nil if it is none.
func (p *Proc) terminal(fd int) *Session {
	if o := p.FD(fd); o != nil {
		if t, ok := o.handle.(*stdio); ok && t.tty != nil {
			return t.Session
		}
	}
	return nil
}

// IsTTY tells whether descriptor fd of p is a terminal.
func (p *Proc) IsTTY(fd int) bool { return p.terminal(fd) != nil }

// TTYSize is the size of the terminal behind descriptor fd, 0, 0 if it is none or
// has told nobody.
func (p *Proc) TTYSize(fd int) (cols, rows int) {
	if s := p.terminal(fd); s != nil {
		return s.tty.cols, s.tty.rows
	}
	return 0, 0
}

// SetTTYSize changes it for the programs alone.
func (p *Proc) SetTTYSize(fd, cols, rows int) {
	if s := p.terminal(fd); s != nil {
		s.Resize(p.m, cols, rows)
	}
}

// TTYMode is the mode of the terminal behind descriptor fd.
func (p *Proc) TTYMode(fd int) (mode Mode, ok bool) {
	s := p.terminal(fd)
	if s == nil {
		return Mode{}, false
	}
	return s.tty.mode, true
}

// SetTTYMode changes the mode of the terminal behind descriptor fd, if it is one.
// What was typed of a line can be read at once where lines are not edited any
// more.
func (p *Proc) SetTTYMode(fd int, mode Mode) {
	s := p.terminal(fd)
	if s == nil {
		return
	}
	if !mode.Canonical && len(s.tty.typed) > 0 {
		s.push(s.tty.typed)
		s.tty.typed = nil
	}
	s.tty.mode = mode
}

// Foreground makes the process group of c, or p's own if c is nil, the one that
// the signals of p's terminal go to.
func (p *Proc) Foreground(c *Proc) {
	switch {
	case p.session == nil:
	case c == nil:
		p.session.foreground = p.PGID
	default:
		p.session.foreground = c.PGID
	}
}
