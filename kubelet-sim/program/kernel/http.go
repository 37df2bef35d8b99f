package kernel

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// Request is what a client asks of an HTTP server.
type Request struct {
	Method string
	Path   string // with the query
	Host   string
	Header map[string]string // by canonical name
	Body   []byte
	From   netip.Addr // the client's address; zero: nobody knows
	Secure bool       // the client speaks TLS
}

// Response is an HTTP server's answer.
type Response struct {
	Status int
	Header map[string]string // by canonical name
	Body   []byte
	// File, where it is not nil, is what follows Body: it is read as it is sent.
	File *vfs.File
	// CPU is what the answer costs the server; 0 for RequestCPU. Unit: time of one core.
	CPU time.Duration
	// After is how long the answer takes beside that, if it is not at once. Unit: virtual
	// time.
	After time.Duration
	// Secure says that the server speaks TLS.
	Secure bool
}

// Size is how long the answer's body is. Unit: bytes.
func (r *Response) Size() int64 {
	size := int64(len(r.Body))
	if r.File != nil {
		size += r.File.Stat().Size()
	}
	return size
}

// Reader reads the body.
func (r *Response) Reader() io.Reader {
	if r.File == nil {
		return bytes.NewReader(r.Body)
	}
	return io.MultiReader(bytes.NewReader(r.Body), r.File)
}

// headMax and bodyMax bound a request. Unit: bytes.
const (
	headMax = 16 << 10
	bodyMax = flowMax - headMax
)

// http is the Service of an HTTP server. A server that answers with status 0 says
// nothing. most bounds the body of a request. Unit: bytes.
func (p *Proc) http(serve func(Request) Response, most int) Service {
	return func(from netip.Addr, in []byte) (used int, out Sent, done bool) {
		p.Owe(len(in)) // it is read again whenever more of it has come
		req, keepAlive, used, err := parseRequest(in, most)
		if err != nil {
			return used, p.render(Response{Status: http.StatusBadRequest}, "", false), true
		}
		if used == 0 {
			return 0, Sent{}, false
		}
		req.From = from
		res := serve(req)
		if res.Status == 0 {
			return used, Sent{}, false
		}
		res.After += p.m.spend(res.CPU)
		return used, p.render(res, req.Method, keepAlive), !keepAlive
	}
}

// parseRequest reads one request; used is 0 if it is not complete yet.
func parseRequest(in []byte, most int) (req Request, keepAlive bool, used int, err error) {
	head, rest, ok := cutHead(in)
	if !ok {
		if len(in) > headMax {
			return req, false, len(in), fmt.Errorf("a head of more than %d bytes", headMax)
		}
		return req, false, 0, nil
	}
	line, fields, _ := strings.Cut(string(head), "\n")
	words := strings.Fields(line)
	if len(words) != 3 || !strings.HasPrefix(words[2], "HTTP/") {
		return req, false, len(in), fmt.Errorf("request line %q", line)
	}
	req = Request{Method: words[0], Path: words[1], Header: map[string]string{}}
	for field := range strings.Lines(fields) {
		name, value, _ := strings.Cut(field, ":")
		req.Header[http.CanonicalHeaderKey(strings.TrimSpace(name))] = strings.TrimSpace(value)
	}
	req.Host = req.Header["Host"]
	size, _ := strconv.Atoi(req.Header["Content-Length"])
	if size < 0 || size > most {
		return req, false, len(in), fmt.Errorf("a body of %d bytes", size)
	}
	if len(rest) < size {
		return req, false, 0, nil
	}
	req.Body = bytes.Clone(rest[:size])
	keepAlive = words[2] == "HTTP/1.1"
	switch strings.ToLower(req.Header["Connection"]) {
	case "close":
		keepAlive = false
	case "keep-alive":
		keepAlive = true
	}
	return req, keepAlive, len(in) - len(rest) + size, nil
}

// cutHead cuts a message at its empty line. Lines may end without \r.
func cutHead(in []byte) (head, rest []byte, ok bool) {
	for at := 0; ; {
		n := bytes.IndexByte(in[at:], '\n')
		if n < 0 {
			return nil, nil, false
		}
		if at > 0 && (n == 0 || n == 1 && in[at] == '\r') {
			return in[:at], in[at+n+1:], true
		}
		at += n + 1
	}
}

// firstFields are the names of those that servers send first, in nginx' order.
func firstFields() [6]string {
	return [...]string{"Server", "Date", "Content-Type", "Content-Length", "Last-Modified", "Connection"}
}

// render writes a response as it goes over the wire.
func (p *Proc) render(res Response, method string, keepAlive bool) Sent {
	fields := map[string]string{
		"Date": p.m.now.UTC().Format(http.TimeFormat), "Content-Length": strconv.FormatInt(res.Size(), 10), "Connection": "close",
	}
	if keepAlive {
		fields["Connection"] = "keep-alive"
	}
	maps.Copy(fields, res.Header)
	out := fmt.Appendf(nil, "HTTP/1.1 %d %s\r\n", res.Status, http.StatusText(res.Status))
	for _, name := range firstFields() {
		if value := fields[name]; value != "" {
			out = fmt.Appendf(out, "%s: %s\r\n", name, value)
		}
		delete(fields, name)
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		out = fmt.Appendf(out, "%s: %s\r\n", name, fields[name])
	}
	out = append(out, "\r\n"...)
	if method == http.MethodHead {
		return Sent{Data: out, After: res.After}
	}
	return Sent{append(out, res.Body...), res.File, res.After}
}
