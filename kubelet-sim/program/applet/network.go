package applet

import (
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

func networkFamily(name string) Func {
	switch name {
	case "wget":
		return wget
	case "curl":
		return curl
	case "nslookup":
		return nslookup
	case "nc":
		return nc
	case "ping", "traceroute":
		return ping
	}
	return nil
}

// lookup resolves a host; ok is false if there is no such name.
func (c *Call) lookup(host string) (string, bool) {
	if host == "localhost" {
		return "127.0.0.1", true
	}
	if strings.Trim(host, "0123456789.") == "" && strings.Count(host, ".") == 3 {
		return host, true
	}
	if c.Hostname() == host {
		return "127.0.0.1", true
	}
	n := c.Network()
	if n == nil {
		return "", false
	}
	list, err := n.Lookup(host)
	if err != nil || len(list) == 0 {
		return "", false
	}
	return list[0], true
}

// request sends a request to a server: of this container, or through the
// network.
func (c *Call) request(address string, req kernel.Request) (kernel.Response, error) {
	host, port, _ := strings.Cut(address, ":")
	if strings.HasPrefix(host, "127.") {
		n, _ := strconv.Atoi(port)
		if l := c.Machine().Server(int32(n)); l != nil && l.Serve != nil {
			return l.Serve(req), nil
		}
		return kernel.Response{}, vfs.Error("Connection refused")
	}
	n := c.Network()
	if n == nil {
		return kernel.Response{}, vfs.Error("Network is unreachable")
	}
	req.Address = address
	res, wait, err := n.Do(req)
	c.Sleep(max(wait, 0))
	return res, err
}

// target takes a URL apart.
func target(s string) (u *url.URL, port string, ok bool) {
	if !strings.Contains(s, "://") {
		s = "http://" + s
	}
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" {
		return nil, "", false
	}
	port = u.Port()
	if port == "" {
		port = map[string]string{"https": "443"}[u.Scheme]
		if port == "" {
			port = "80"
		}
	}
	return u, port, true
}

func wget(c *Call) int {
	o, ok := c.parse("qO:T:t:cSsP:U:Y:", map[string]byte{
		"quiet": 'q', "output-document": 'O', "timeout": 'T', "spider": 's', "tries": 't', "header": 'Y', "post-data": 'Y', "no-check-certificate": 'c', "server-response": 'S',
	}, "[-cqS] [--spider] [-O FILE] [-o LOGFILE] [--header STR]\n\t[--post-data STR | --post-file FILE] [-Y on/off]\n\t[-P DIR] [-U AGENT] [-T SEC] URL...")
	if !ok {
		return 1
	}
	if len(o.rest) == 0 {
		return c.usage("[-cqS] [--spider] [-O FILE] URL...")
	}
	u, port, ok := target(o.rest[0])
	if !ok {
		return c.fail("not an http or ftp url: %s", o.rest[0])
	}
	ip, ok := c.lookup(u.Hostname())
	if !ok {
		return c.fail("bad address '%s'", u.Host)
	}
	if !o.has('q') {
		_, _ = fmt.Fprintf(c.Stderr(), "Connecting to %s (%s:%s)\n", u.Host, ip, port)
	}
	path := u.RequestURI()
	res, err := c.request(ip+":"+port, kernel.Request{Method: "GET", Path: path, Host: u.Host})
	if err != nil {
		if strings.Contains(err.Error(), "timed out") {
			return c.fail("download timed out")
		}
		return c.fail("can't connect to remote host (%s): %v", ip, err)
	}
	if res.Status >= 400 {
		return c.fail("server returned error: HTTP/1.1 %d %s", res.Status, statusText(res.Status))
	}
	if o.has('s') {
		if !o.has('q') {
			_, _ = io.WriteString(c.Stderr(), "remote file exists\n")
		}
		return 0
	}
	return c.save(o, path, res.Body)
}

func (c *Call) save(o *options, path string, body []byte) int {
	name := o.value('O')
	if name == "-" {
		c.print(string(body))
		return 0
	}
	if name == "" {
		if name = base(path); name == "" || name == "/" {
			name = "index.html"
		}
	}
	w, err := c.create(name, vfs.Truncate)
	if err != nil {
		return c.cannotOpen(name, err)
	}
	defer func() { _ = w.Close() }()
	_, _ = w.Write(body)
	if !o.has('q') {
		_, _ = fmt.Fprintf(c.Stderr(), "saving to '%s'\n%-20s 100%% |%s| %5d  0:00:00 ETA\n'%s' saved\n", name, name, strings.Repeat("*", 32), len(body), name)
	}
	return 0
}

func statusText(code int) string {
	switch code {
	case 200:
		return "OK"
	case 403:
		return "Forbidden"
	case 404:
		return "Not Found"
	case 500:
		return "Internal Server Error"
	case 502:
		return "Bad Gateway"
	case 503:
		return "Service Unavailable"
	}
	return "Status"
}

func curl(c *Call) int {
	o, ok := c.parse("sSfkLIivo:w:X:d:H:m:Ou:A:4G", map[string]byte{
		"silent": 's', "fail": 'f', "insecure": 'k', "location": 'L', "head": 'I', "include": 'i', "output": 'o', "write-out": 'w',
		"request": 'X', "data": 'd', "header": 'H', "max-time": 'm', "connect-timeout": 'm', "show-error": 'S', "verbose": 'v',
	}, "")
	if !ok {
		return 2
	}
	complain := func(code int, format string, args ...any) int {
		if !o.has('s') || o.has('S') {
			c.flush()
			_, _ = fmt.Fprintf(c.Stderr(), "curl: (%d) %s\n", code, fmt.Sprintf(format, args...))
		}
		return code
	}
	if len(o.rest) == 0 {
		_, _ = io.WriteString(c.Stderr(), "curl: try 'curl --help' or 'curl --manual' for more information\n")
		return 2
	}
	u, port, ok := target(o.rest[0])
	if !ok {
		return complain(3, "URL rejected: Malformed input to a URL function")
	}
	ip, ok := c.lookup(u.Hostname())
	if !ok {
		return complain(6, "Could not resolve host: %s", u.Hostname())
	}
	method := o.value('X')
	if method == "" {
		method = "GET"
		if o.has('d') {
			method = "POST"
		}
		if o.has('I') {
			method = "HEAD"
		}
	}
	start := c.Now()
	res, err := c.request(ip+":"+port, kernel.Request{Method: method, Path: u.RequestURI(), Host: u.Host, Body: []byte(o.value('d'))})
	took := c.Now().Sub(start)
	switch {
	case err != nil && strings.Contains(err.Error(), "timed out"):
		return complain(28, "Connection timed out after %d milliseconds", took/time.Millisecond)
	case err != nil:
		return complain(7, "Failed to connect to %s port %s after %d ms: Could not connect to server", u.Hostname(), port, took/time.Millisecond)
	case res.Status >= 400 && o.has('f'):
		return complain(22, "The requested URL returned error: %d", res.Status)
	}
	if o.has('I') || o.has('i') {
		c.printf("HTTP/1.1 %d %s\r\nContent-Length: %d\r\n\r\n", res.Status, statusText(res.Status), len(res.Body))
	}
	if !o.has('I') {
		if name := o.value('o'); name != "" {
			w, err := c.create(name, vfs.Truncate)
			if err != nil {
				return complain(23, "Failure writing output to destination")
			}
			_, _ = w.Write(res.Body)
			_ = w.Close()
		} else {
			c.print(string(res.Body))
		}
	}
	if o.has('w') {
		text, _ := unescape(o.value('w'), false)
		c.print(strings.NewReplacer("%{http_code}", strconv.Itoa(res.Status), "%{response_code}", strconv.Itoa(res.Status)).Replace(text))
	}
	return 0
}

// nameserver is the first of /etc/resolv.conf, or of a cluster.
func (c *Call) nameserver() string {
	data, _ := c.FS().ReadFile("/etc/resolv.conf", c.User())
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "nameserver" {
			return f[1]
		}
	}
	return "10.96.0.10"
}

func nslookup(c *Call) int {
	var names []string
	for _, a := range c.Args {
		if !strings.HasPrefix(a, "-") {
			names = append(names, a)
		}
	}
	if len(names) == 0 {
		return c.usage("[-type=QUERY_TYPE] [-debug] HOST [DNS_SERVER]")
	}
	server := c.nameserver()
	n := c.Network()
	if n == nil && names[0] != "localhost" {
		c.print(";; connection timed out; no servers could be reached\n\n")
		return 1
	}
	c.printf("Server:\t\t%s\nAddress:\t%s:53\n\n", server, server)
	list := []string{"127.0.0.1"}
	var err error
	if names[0] != "localhost" {
		list, err = n.Lookup(names[0])
	}
	if err != nil || len(list) == 0 {
		c.printf("** server can't find %s: NXDOMAIN\n\n", names[0])
		return 1
	}
	for _, ip := range list {
		c.printf("Name:\t%s\nAddress: %s\n", names[0], ip)
	}
	c.print("\n")
	return 0
}

func nc(c *Call) int {
	o, ok := c.parse("zvw:lkp:ne:u", nil, "[-iN] [-wN] [-l] [-p PORT] [-f FILENAME|IPADDR PORT] [-e PROG]")
	if !ok {
		return 1
	}
	if o.has('l') {
		text := o.value('p')
		if text == "" && len(o.rest) > 0 {
			text = o.rest[len(o.rest)-1]
		}
		port, _ := strconv.Atoi(text)
		if !c.Listen(int32(port), nil) {
			return c.fail("bind: Address already in use")
		}
		c.Sleep(-1)
		return 0
	}
	if len(o.rest) < 2 {
		return c.usage("[-iN] [-wN] [-l] [-p PORT] [-f FILENAME|IPADDR PORT] [-e PROG]")
	}
	host, port := o.rest[0], o.rest[1]
	ip, ok := c.lookup(host)
	if !ok {
		return c.fail("bad address '%s'", host)
	}
	_, err := c.request(ip+":"+port, kernel.Request{Method: "CONNECT"})
	if err != nil {
		if strings.Contains(err.Error(), "timed out") {
			return c.fail("timed out")
		}
		return c.fail("%s (%s:%s): %v", host, ip, port, err)
	}
	if o.has('v') {
		_, _ = fmt.Fprintf(c.Stderr(), "%s (%s:%s) open\n", host, ip, port)
	}
	return 0
}

func ping(c *Call) int {
	o, ok := c.parse("c:W:w:i:q46s:", nil, "[OPTIONS] HOST")
	if !ok || len(o.rest) == 0 {
		return 1
	}
	host := o.rest[0]
	ip, ok := c.lookup(host)
	if !ok {
		if c.style == GNU {
			_, _ = fmt.Fprintf(c.Stderr(), "ping: %s: Name or service not known\n", host)
			return 2
		}
		return c.fail("bad address '%s'", host)
	}
	n := -1
	if v, err := strconv.Atoi(o.value('c')); err == nil {
		n = v
	}
	reachable := strings.HasPrefix(ip, "127.") || c.Network() != nil
	c.printf("PING %s (%s): 56 data bytes\n", host, ip)
	sent, got := 0, 0
	for n < 0 || sent < n {
		if reachable {
			c.printf("64 bytes from %s: seq=%d ttl=64 time=0.050 ms\n", ip, sent)
			got++
		}
		sent++
		c.flush()
		if sent != n {
			c.Sleep(time.Second)
		}
	}
	c.printf("\n--- %s ping statistics ---\n%d packets transmitted, %d packets received, %d%% packet loss\n", host, sent, got, 100*(sent-got)/max(sent, 1))
	if got == 0 {
		return 1
	}
	return 0
}
