package applet

import (
	"fmt"
	"io"
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// Style is whose words an applet uses.
type Style int

// The styles.
const (
	Busybox Style = iota
	GNU
)

// Banner is what busybox prints above a usage text.
const Banner = "BusyBox v1.37.0 (2024-09-26 21:31:42 UTC) multi-call binary."

// Func is an applet: it returns its exit code.
type Func func(c *Call) int

// Call is one run of an applet.
type Call struct {
	*kernel.Proc
	Name  string   // of the applet
	Args  []string // without the name
	style Style
	shell *Shell
	out   []byte                // not yet written
	err   error                 // of a write to standard output
	known map[string][][]string // the databases that were read
}

// Shell says how an applet that is built into a shell reports errors.
type Shell struct {
	Label    string // the shell's name, which takes the applet's place
	DashEcho bool   // echo interprets escapes without -e
	Complain func(name, text string)
	// Output takes the place of standard output, unless it is nil.
	Output io.Writer
}

// outMax is what a Call keeps before it writes, as stdio. Unit: bytes.
const outMax = 4096

// Run runs f as the program of process p.
func Run(p *kernel.Proc, f Func, style Style) int {
	name := p.Name()
	c := &Call{Proc: p, Name: name, Args: p.Args[1:], style: style}
	code := f(c)
	c.flush()
	if c.err != nil && code == 0 {
		return c.fail("write error: %v", c.err)
	}
	return code
}

// Builtin runs an applet in a shell's own process.
func Builtin(p *kernel.Proc, args []string, style Style, sh Shell) int {
	f := Find(args[0])
	c := &Call{Proc: p, Name: args[0], Args: args[1:], style: style, shell: &sh}
	code := f(c)
	c.flush()
	if c.err != nil && code == 0 {
		sh.Complain(args[0], "write error: "+c.err.Error())
		code = 1
	}
	return code
}

// Write adds to standard output. The error is that of an earlier write.
func (c *Call) Write(b []byte) (int, error) {
	if len(b) > kernel.PieceMax {
		c.print(string(b))
		return len(b), c.err
	}
	c.out = append(c.out, b...)
	if len(c.out) >= outMax {
		c.flush()
	}
	return len(b), c.err
}

// print adds to standard output.
func (c *Call) print(s string) {
	for len(s) > kernel.PieceMax {
		c.out = append(c.out, s[:kernel.PieceMax]...)
		s = s[kernel.PieceMax:]
		c.flush()
	}
	c.out = append(c.out, s...)
	if len(c.out) >= outMax {
		c.flush()
	}
}

func (c *Call) printf(format string, args ...any) {
	c.out = fmt.Appendf(c.out, format, args...)
	if len(c.out) >= outMax {
		c.flush()
	}
}

// flush writes what print has kept.
func (c *Call) flush() {
	if len(c.out) == 0 {
		return
	}
	out := c.Stdout()
	if c.shell != nil && c.shell.Output != nil {
		out = c.shell.Output
	}
	if _, err := out.Write(c.out); err != nil && c.err == nil {
		c.err = err
	}
	c.out = c.out[:0]
}

// fail prints a message after the applet's name and returns exit code 1.
func (c *Call) fail(format string, args ...any) int {
	c.flush()
	text := fmt.Sprintf(format, args...)
	if c.shell != nil {
		c.shell.Complain(c.Name, text)
		return 1
	}
	_, _ = io.WriteString(c.Stderr(), c.Name+": "+text+"\n")
	return 1
}

// cannot reports that something cannot be done to a file: "can't VERB 'x'".
func (c *Call) cannot(verb, name string, err error) int {
	if c.style == GNU {
		return c.fail("cannot %s '%s': %v", verb, name, err)
	}
	return c.fail("can't %s '%s': %v", verb, name, err)
}

// cannotOpen reports a file that cannot be opened for reading.
func (c *Call) cannotOpen(name string, err error) int {
	switch {
	case c.style == GNU && (c.Name == "head" || c.Name == "tail"):
		return c.fail("cannot open '%s' for reading: %v", name, err)
	case c.style == GNU && c.Name == "sort":
		return c.fail("cannot read: %s: %v", name, err)
	case c.style == GNU || c.Name == "head" || c.Name == "sort" || c.Name == "wc":
		return c.fail("%s: %v", name, err) // busybox's fopen_or_warn_stdin
	}
	return c.fail("can't open '%s': %v", name, err)
}

// usage prints a usage text and returns exit code 1.
func (c *Call) usage(text string) int {
	c.flush()
	if c.style == GNU {
		_, _ = fmt.Fprintf(c.Stderr(), "Try '%s --help' for more information.\n", c.Name)
		return 1
	}
	_, _ = fmt.Fprintf(c.Stderr(), "%s\n\nUsage: %s %s\n", Banner, c.Name, text)
	return 1
}

// open opens a file for reading; "-" is standard input.
func (c *Call) open(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(c.Stdin()), nil
	}
	o, err := c.OpenFile(name, vfs.Read, 0)
	if err != nil {
		return nil, err
	}
	if f := o.File(); f != nil && f.Stat().IsDir() {
		return c.ReaderOf(o), nil
	}
	return c.ReaderOf(o), nil
}

// create opens a file for writing.
func (c *Call) create(name string, flag vfs.Flag) (io.WriteCloser, error) {
	o, err := c.OpenFile(name, flag|vfs.Write|vfs.Create, 0o666)
	if err != nil {
		return nil, err
	}
	return c.ReaderOf(o), nil
}

// readAll returns what r still gives. What it keeps counts as memory.
func (c *Call) readAll(r io.Reader) ([]byte, error) {
	var data []byte
	buf := make([]byte, 8192)
	for {
		n, err := r.Read(buf)
		c.Charge(int64(n))
		data = append(data, buf[:n]...)
		if err == io.EOF {
			return data, nil
		}
		if err != nil {
			return data, err
		}
	}
}

// inputs calls do for each named file, or for standard input if there is
// none. A file that cannot be read is reported and makes the exit code 1.
func (c *Call) inputs(names []string, do func(name string, r io.Reader) error) int {
	if len(names) == 0 {
		names = []string{"-"}
	}
	code := 0
	for _, name := range names {
		r, err := c.open(name)
		if err != nil {
			code = c.cannotOpen(name, err)
			continue
		}
		err = do(name, r)
		_ = r.Close()
		if err != nil && err != io.EOF {
			code = c.readError(name, err)
		}
	}
	return code
}

func (c *Call) readError(name string, err error) int {
	if c.style == GNU {
		return c.fail("%s: %v", name, err)
	}
	return c.fail("read error: %v", err)
}

// base is the last part of a path.
func base(name string) string {
	trimmed := strings.TrimRight(name, "/")
	if trimmed == "" {
		return name[:min(1, len(name))]
	}
	return trimmed[strings.LastIndexByte(trimmed, '/')+1:]
}
