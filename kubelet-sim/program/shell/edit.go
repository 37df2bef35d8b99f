package shell

import (
	"errors"
	"io"
	"strings"

	"golang.org/x/term"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// historyMax bounds the lines that an interactive shell remembers.
const historyMax = 256

// errInterrupted: ^C was typed.
var errInterrupted = errors.New("interrupted")

// editor lets a user edit command lines at a terminal: with arrows, a history, ^A,
// ^E, ^U, ^W as busybox and readline do. It takes the terminal out of its own line
// editing while it reads.
type editor struct {
	sh    *Shell
	lines []string // the history, latest last
	term  *term.Terminal
	// unwound is what a process panics with that ends while it reads: it must not
	// pass through the library, which holds locks.
	unwound any
}

var errUnwound = errors.New("the process ends")

// guarded is f, with a panic as an error.
func (e *editor) guarded(f func() (int, error)) (n int, err error) {
	defer func() {
		if r := recover(); r != nil {
			e.unwound, err = r, errUnwound
		}
	}()
	return f()
}

// readLine shows a prompt and returns a line with its end. The error is io.EOF
// after ^D, errInterrupted after ^C.
func (e *editor) readLine(prompt string) (string, error) {
	p := e.sh.p
	mode, _ := p.TTYMode(0)
	p.SetTTYMode(0, kernel.Mode{MapCR: mode.MapCR}) // what is typed ahead stays lines
	defer p.SetTTYMode(0, mode)
	e.term = term.NewTerminal(e, prompt)
	e.term.History = e
	e.resize()
	line, err := e.term.ReadLine()
	if e.unwound != nil {
		panic(e.unwound)
	}
	switch {
	case err == nil:
		return line + "\n", nil
	case errors.Is(err, errInterrupted):
		_, _ = p.Stderr().Write([]byte("^C\r\n"))
	case errors.Is(err, io.EOF):
		_, _ = p.Stderr().Write([]byte("\r\n"))
	}
	return "", err
}

// The size of a terminal that does not tell a plausible one.
const (
	colsDefault = 80
	rowsDefault = 24
)

// resize takes the size of the window over.
func (e *editor) resize() {
	cols, rows := e.sh.p.TTYSize(0)
	_ = e.term.SetSize(e.plausible(cols, colsDefault), e.plausible(rows, rowsDefault)) // it fails as the next write does
}

// plausible is a length of the window, or another for one that nobody has told. A client
// without a size of its own, such as kubectl under script, sends 0 0, and kubectl attach
// 1 1 before it.
//
// Source: wh_helper in busybox 1.37 libbb/xfuncs.c; readline 8.2 terminal.c, which takes
// a width of 1 as it is.
func (e *editor) plausible(n, other int) int {
	if n <= 0 || e.sh.dialect != Bash && (n == 1 || n >= 30000) {
		return other
	}
	return n
}

// Read implements io.Reader for the terminal: a key at a time, because what
// follows the line belongs to the commands that it runs.
func (e *editor) Read(b []byte) (int, error) {
	return e.guarded(func() (int, error) { return e.readKey(b) })
}

func (e *editor) readKey(b []byte) (int, error) {
	for {
		n, err := e.sh.p.Read(0, b[:1])
		switch {
		case err == kernel.EINTR:
			if err := e.signal(); err != nil {
				return 0, err
			}
			continue
		case n == 1 && b[0] == 3: // ^C
			return 0, errInterrupted
		}
		return n, err
	}
}

// signal acts on a signal that has come while nothing was typed.
func (e *editor) signal() error {
	sh := e.sh
	switch s := sh.p.Pending(); {
	case s == kernel.SIGWINCH:
		e.resize()
	case sh.traps[s] != "":
		sh.runTrap(sh.traps[s])
	case s == kernel.SIGINT:
		return errInterrupted
	}
	if sh.leaving == leaveShell {
		return io.EOF
	}
	return nil
}

// Write implements io.Writer for the terminal.
func (e *editor) Write(b []byte) (int, error) {
	return e.guarded(func() (int, error) { return e.sh.p.Stderr().Write(b) })
}

// Add implements term.History.
func (e *editor) Add(line string) {
	if strings.TrimSpace(line) == "" || len(e.lines) > 0 && e.lines[len(e.lines)-1] == line {
		return
	}
	e.lines = append(e.lines[max(len(e.lines)-historyMax+1, 0):], line)
}

// Len implements term.History.
func (e *editor) Len() int { return len(e.lines) }

// At implements term.History: the latest line is 0.
func (e *editor) At(i int) string { return e.lines[len(e.lines)-1-i] }
