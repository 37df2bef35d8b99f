package applet

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

func networkFamily(name string) Func {
	switch name {
	case "wget":
		return wget
	case "curl":
		return curl
	case "nslookup":
		return nslookup
	case "nslookup-1.28":
		return nslookupOld
	case "dig":
		return dig
	case "host":
		return hostApplet
	case "getent":
		return getent
	case "nc", "netcat":
		return nc
	case "telnet":
		return telnet
	case "ping":
		return ping
	case "traceroute":
		return traceroute
	case "httpd":
		return httpd
	}
	return nil
}

// target takes an HTTP URL apart.
func target(s string) (u *url.URL, port uint16, ok bool) {
	if !strings.Contains(s, "://") {
		s = "http://" + s
	}
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" {
		return nil, 0, false
	}
	text := u.Port()
	if text == "" {
		text = map[string]string{"https": "443", "ftp": "21"}[u.Scheme]
	}
	if text == "" {
		text = "80"
	}
	n, err := strconv.ParseUint(text, 10, 16)
	return u, uint16(n), err == nil
}

// reply is what an HTTP server has answered.
type reply struct {
	Line   string   // "HTTP/1.1 200 OK"
	Fields []string // "Server: nginx"
	Status int
	Body   []byte
}

// field is the value of a field of the head, by its name in lower case.
func (r *reply) field(name string) string {
	for _, f := range r.Fields {
		if n, value, _ := strings.Cut(f, ":"); strings.ToLower(n) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// errNoReply says that a server has closed the connection without an answer,
// errNoTLS that it does not speak TLS.
var (
	errNoReply = errors.New("no answer")
	errNoTLS   = errors.New("no TLS")
)

// deadlined reads from a connection until an instant.
type deadlined struct {
	c  *Call
	o  *kernel.Open
	r  io.Reader
	at time.Time // zero: no deadline
}

func (d deadlined) Read(b []byte) (int, error) {
	if !d.at.IsZero() && !d.o.Readable(d.c.Proc, max(d.at.Sub(d.c.Now()), 0)) {
		return 0, kernel.ETIME
	}
	return d.r.Read(b)
}

// exchange sends a request over a new connection and reads the answer. A
// timeout that is not negative bounds all of it.
func (c *Call) exchange(to netip.AddrPort, req kernel.Request, fields []string, timeout time.Duration) (*reply, error) {
	var deadline time.Time
	if timeout >= 0 {
		deadline = c.Now().Add(timeout)
	}
	c.flush()
	o, err := c.Connect(to, timeout)
	if err != nil {
		return nil, err
	}
	conn := c.ReaderOf(o)
	defer func() { _ = conn.Close() }()
	text := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: %s\r\n", req.Method, req.Path, req.Host)
	for _, f := range fields {
		text = fmt.Appendf(text, "%s\r\n", f)
	}
	if len(req.Body) > 0 {
		text = fmt.Appendf(text, "Content-Length: %d\r\n", len(req.Body))
	}
	c.Ignore(kernel.SIGPIPE)
	defer c.Default(kernel.SIGPIPE)
	if _, err := conn.Write(append(append(text, "\r\n"...), req.Body...)); err != nil {
		return nil, err
	}
	return c.readReply(bufio.NewReader(deadlined{c, o, conn, deadline}), req.Method)
}

// lineLimit and fieldsMax bound the head of an answer. Units: bytes and lines.
const (
	lineLimit = 16 << 10
	fieldsMax = 200
)

func (c *Call) readReply(r *bufio.Reader, method string) (*reply, error) {
	var res reply
	for {
		line, err := readLine(r)
		if err != nil && (res.Line == "" || err != io.EOF) {
			return nil, err
		}
		switch {
		case res.Line == "":
			res.Line = line
			_, rest, _ := strings.Cut(line, " ")
			code, _, _ := strings.Cut(rest, " ")
			res.Status, _ = strconv.Atoi(code)
			continue
		case line != "" && err == nil && len(res.Fields) < fieldsMax:
			res.Fields = append(res.Fields, line)
			continue
		}
		break
	}
	if method == http.MethodHead {
		return &res, nil
	}
	var body io.Reader = r
	if n, err := strconv.ParseInt(res.field("content-length"), 10, 64); err == nil && n >= 0 {
		body = io.LimitReader(r, n)
	}
	data, err := c.readAll(body)
	res.Body = data
	return &res, err
}

// readLine reads a line without its end.
func readLine(r *bufio.Reader) (string, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if err == bufio.ErrBufferFull && len(line) < lineLimit {
			continue
		}
		if err == io.EOF && len(line) == 0 {
			return "", errNoReply
		}
		return strings.TrimRight(string(line), "\r\n"), err
	}
}

// seconds reads an option's number of seconds; -1 if it has none.
func (o *options) seconds(flag byte) time.Duration {
	n, err := strconv.ParseFloat(o.value(flag), 64)
	if err != nil || n < 0 || n > 1e6 {
		return -1
	}
	return time.Duration(n * float64(time.Second))
}

// pump copies what can be read from one descriptor to another.
func pump(p *kernel.Proc, from, to int) {
	buf := make([]byte, 4096)
	for {
		n, err := p.Read(from, buf)
		if n > 0 {
			if _, err := p.Write(to, buf[:n]); err != nil {
				return
			}
		}
		if err == kernel.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return
		}
	}
}

// relay copies standard input to a connection, by a process of its own, and the
// connection to standard output, until the peer closes it.
func (c *Call) relay(o *kernel.Open) int {
	const at = 9 // the connection's descriptor
	if err := c.SetFD(at, o); err != nil {
		o.Release(c.Proc)
		return c.fail("%v", err)
	}
	child, ok := c.Fork(append([]string{c.Name}, c.Args...))
	if !ok {
		c.CloseFD(at)
		return c.fail("can't fork: %v", kernel.EAGAIN)
	}
	c.Machine().Start(child, func(p *kernel.Proc) int {
		p.Ignore(kernel.SIGPIPE)
		pump(p, 0, at)
		if o := p.FD(at); o != nil {
			o.CloseWrite(p)
		}
		return 0
	})
	pump(c.Proc, at, 1)
	c.Signal(child, kernel.SIGKILL)
	c.CloseFD(at)
	return 0
}
