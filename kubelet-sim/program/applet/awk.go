package applet

import (
	"io"
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/awk"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

func awkFamily(name string) Func {
	switch name {
	case "awk", "gawk", "mawk", "nawk":
		return awkApplet
	}
	return nil
}

const awkUsage = "[OPTIONS] [AWK_PROGRAM] [FILE]..."

func awkApplet(c *Call) int {
	o, ok := c.parse("+F:v:f:", nil, awkUsage)
	if !ok {
		return 1
	}
	source, files, ok := c.awkSource(o)
	if !ok {
		return 1
	}
	c.Step(len(source) / 16)
	c.Charge(int64(20 * len(source))) // what it is parsed into
	program, err := awk.Parse(source, c)
	if err != nil {
		return c.fail("%v", err)
	}
	cfg := awk.Config{Args: append([]string{"awk"}, files...), Environ: c.Env}
	if o.has('F') {
		separator := o.value('F')
		if separator == "t" {
			separator = `\t`
		}
		cfg.Vars = append(cfg.Vars, [2]string{"FS", separator})
	}
	for _, v := range o.values['v'] {
		name, value, ok := strings.Cut(v, "=")
		if !ok {
			return c.usage(awkUsage)
		}
		cfg.Vars = append(cfg.Vars, [2]string{name, value})
	}
	code, err := awk.Run(program, cfg, awkHost{c})
	if err != nil {
		c.fail("%v", err)
	}
	return code
}

func (c *Call) awkSource(o *options) (source string, files []string, ok bool) {
	files = o.rest
	for _, name := range o.values['f'] {
		r, err := c.open(name)
		if err != nil {
			c.fail("%s: %v", name, err)
			return "", nil, false
		}
		data, err := c.readAll(io.LimitReader(r, lineMax))
		_ = r.Close()
		if err != nil {
			c.readError(name, err)
			return "", nil, false
		}
		source += string(data) + "\n"
	}
	if len(o.values['f']) == 0 {
		if len(files) == 0 {
			c.usage(awkUsage)
			return "", nil, false
		}
		source, files = files[0], files[1:]
	}
	return source, files, true
}

// awkHost is a process that a program of awk runs as.
type awkHost struct{ *Call }

var _ awk.Host = awkHost{}

// Random implements awk.Host.
func (h awkHost) Random() uint64 { return h.Machine().Random() }

// Open implements awk.Host. What was printed goes out before a read may wait.
func (h awkHost) Open(name string) (io.ReadCloser, error) {
	r, err := h.open(name)
	if err != nil {
		return nil, err
	}
	return awkReader{h.Call, r}, nil
}

type awkReader struct {
	c *Call
	io.ReadCloser
}

func (r awkReader) Read(b []byte) (int, error) {
	r.c.flush()
	return r.ReadCloser.Read(b)
}

// Create implements awk.Host.
func (h awkHost) Create(name string, appending bool) (io.WriteCloser, error) {
	h.flush()
	if name == "-" || name == "/dev/stdout" {
		return awkStdout(h), nil
	}
	flag := vfs.Truncate
	if appending {
		flag = vfs.Append
	}
	return h.create(name, flag)
}

type awkStdout struct{ *Call }

func (awkStdout) Close() error { return nil }

// Shell implements awk.Host.
func (h awkHost) Shell(command string, input []byte, output *[]byte, limit int) int {
	h.flush()
	wait := func() []byte { return nil }
	var out *kernel.Open
	if output != nil {
		out, wait = h.Capture(limit)
	}
	status, err := h.Command([]string{"sh", "-c", command}, func(p *kernel.Proc) {
		if input != nil {
			_ = p.SetFD(0, p.Text(string(input)))
		}
		if out != nil {
			_ = p.SetFD(1, out)
		}
	})
	if err != nil {
		h.fail("can't execute 'sh': %v", err)
		return 127
	}
	if output != nil {
		*output = wait()
	}
	return status.ExitCode()
}
