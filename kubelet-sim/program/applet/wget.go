package applet

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

const wgetUsage = "[-cqS] [--spider] [-O FILE] [-o LOGFILE] [--header STR]\n\t[--post-data STR | --post-file FILE] [-Y on/off]\n\t[--no-check-certificate] [-P DIR] [-U AGENT] [-T SEC] URL..."

// wgetTimeout is how long busybox's wget waits where no -T says otherwise. Unit:
// virtual time. Source: WGET_DEFAULT_TIMEOUT in networking/wget.c of busybox.
const wgetTimeout = 900 * time.Second

func wget(c *Call) int {
	o, ok := c.parse("qO:T:t:cSsP:U:Y:o:H:D:F:", map[string]byte{
		"quiet": 'q', "output-document": 'O', "timeout": 'T', "spider": 's', "tries": 't', "header": 'H', "post-data": 'D', "post-file": 'F',
		"no-check-certificate": 'c', "server-response": 'S', "directory-prefix": 'P', "user-agent": 'U', "proxy": 'Y', "output-file": 'o', "continue": 'c',
	}, wgetUsage)
	if !ok {
		return 1
	}
	if len(o.rest) == 0 {
		return c.usage(wgetUsage)
	}
	code := 0
	for _, address := range o.rest {
		if code = c.wgetOne(o, address); code != 0 {
			break
		}
	}
	return code
}

// wgetOne downloads one URL, over at most four redirections.
func (c *Call) wgetOne(o *options, address string) int {
	for range 5 {
		res, u, code := c.wgetAsk(o, address)
		if res == nil {
			return code
		}
		if next := res.field("location"); res.Status >= 300 && res.Status < 304 && next != "" {
			ref, err := u.Parse(next)
			if err != nil {
				return c.fail("not an http or ftp url: %s", next)
			}
			address = ref.String()
			continue
		}
		if o.has('s') {
			c.say(o, "remote file exists\n")
			return 0
		}
		return c.save(o, u.Path, res.Body)
	}
	return c.fail("too many redirections")
}

// say prints progress, unless it is to be quiet.
func (c *Call) say(o *options, format string, args ...any) {
	if !o.has('q') {
		c.flush()
		_, _ = fmt.Fprintf(c.Stderr(), format, args...)
	}
}

// wgetAsk sends the request for a URL; without an answer the exit code says how
// that went.
func (c *Call) wgetAsk(o *options, address string) (*reply, *url.URL, int) {
	u, port, ok := target(address)
	if !ok || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "ftp" {
		return nil, nil, c.fail("not an http or ftp url: %s", address)
	}
	ip, ok := c.lookup(u.Hostname())
	if !ok {
		return nil, nil, c.fail("bad address '%s'", u.Host)
	}
	to := netip.AddrPortFrom(ip, port)
	c.say(o, "Connecting to %s (%s)\n", u.Host, to)
	req := kernel.Request{Method: http.MethodGet, Path: u.RequestURI(), Host: u.Host}
	agent := "Wget"
	if o.has('U') {
		agent = o.value('U')
	}
	fields := append([]string{"User-Agent: " + agent, "Connection: close"}, o.values['H']...)
	switch {
	case o.has('D'):
		req.Method, req.Body = http.MethodPost, []byte(o.value('D'))
		fields = append(fields, "Content-Type: application/x-www-form-urlencoded")
	case o.has('F'):
		data, err := c.ReadFile(o.value('F'), lineMax)
		if err != nil {
			return nil, nil, c.cannotOpen(o.value('F'), err)
		}
		req.Method, req.Body = http.MethodPost, data
	}
	timeout := o.seconds('T')
	if timeout < 0 {
		timeout = wgetTimeout
	}
	res, err := c.fetch(u.Scheme == "https", to, req, fields, timeout)
	if err != nil {
		return nil, nil, c.wgetError(to, err)
	}
	if o.has('S') {
		c.say(o, "  %s\n", strings.Join(append([]string{res.Line}, append(res.Fields, "")...), "\n  "))
	}
	if res.Status >= 400 || res.Status < 200 {
		return nil, nil, c.fail("server returned error: %s", res.Line)
	}
	return res, u, 0
}

// fetch is exchange for a URL that may want TLS, which no simulated server
// speaks.
func (c *Call) fetch(tls bool, to netip.AddrPort, req kernel.Request, fields []string, timeout time.Duration) (*reply, error) {
	if !tls {
		return c.exchange(to, req, fields, timeout)
	}
	c.flush()
	o, err := c.Connect(to, timeout)
	if err != nil {
		return nil, err
	}
	_ = c.ReaderOf(o).Close()
	return nil, errNoTLS
}

func (c *Call) wgetError(to netip.AddrPort, err error) int {
	switch {
	case errors.Is(err, kernel.ETIME):
		return c.fail("download timed out")
	case errors.Is(err, errNoReply):
		return c.fail("error getting response")
	case errors.Is(err, errNoTLS):
		c.fail("TLS error from peer (alert code 80): 80")
		return c.fail("error getting response: Connection reset by peer")
	}
	return c.fail("can't connect to remote host (%s): %v", to.Addr(), err)
}

// save writes a download to its file.
func (c *Call) save(o *options, path string, body []byte) int {
	name := o.value('O')
	if name == "-" {
		c.say(o, "writing to stdout\n")
		c.print(string(body))
		c.flush()
		c.meter(o, "-", len(body))
		c.say(o, "written to stdout\n")
		return 0
	}
	flag := vfs.Truncate
	if name == "" {
		flag = vfs.Exclusive
		name = path[strings.LastIndexByte(path, '/')+1:]
		if name == "" {
			name = "index.html"
		}
		if dir := o.value('P'); dir != "" {
			name = strings.TrimRight(dir, "/") + "/" + name
		}
	}
	w, err := c.create(name, flag)
	if err != nil {
		return c.cannotOpen(name, err)
	}
	defer func() { _ = w.Close() }()
	if _, err := w.Write(body); err != nil {
		return c.fail("write error: %v", err)
	}
	c.say(o, "saving to '%s'\n", name)
	c.meter(o, base(name), len(body))
	c.say(o, "'%s' saved\n", name)
	return 0
}

func (c *Call) meter(o *options, name string, size int) {
	c.say(o, "%-20.20s 100%% |%s| %5d  0:00:00 ETA\n", name, strings.Repeat("*", 32), size)
}
