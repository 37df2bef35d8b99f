package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	neturl "net/url"
	"strconv"
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// netexec is agnhost's server that tells of its requests and of itself. Source:
// k8s.io/kubernetes test/images/agnhost/netexec v1.37.2.
type netexec struct {
	p    *kernel.Proc
	port int
	// stopping: it was asked to end.
	stopping bool
}

// log writes a line as Go's log package does.
func (n *netexec) log(format string, args ...any) {
	n.p.FD(2).WriteNow(n.p, n.p.Now().UTC().Format("2006/01/02 15:04:05 ")+fmt.Sprintf(format, args...)+"\n")
}

func (n *netexec) answer(req kernel.Request) kernel.Response {
	ok := func(s string) kernel.Response { return kernel.Response{Status: http.StatusOK, Body: []byte(s)} }
	path, rawQuery, _ := strings.Cut(req.Path, "?")
	query, _ := neturl.ParseQuery(rawQuery)
	switch path {
	case "/":
		n.log("GET /")
		return ok("NOW: " + n.p.Now().UTC().String())
	case "/echo":
		return n.echo(query.Get("msg"), query.Get("code"))
	case "/clientip":
		n.log("GET /clientip")
		return ok(req.From.String() + ":40000") // nobody models the client's port
	case "/serverport":
		n.log("GET /serverport")
		return ok(strconv.Itoa(n.port))
	case "/header":
		return n.header(req, query.Get("key"))
	case "/hostname", "/hostName":
		n.log("GET %s", path)
		return ok(n.p.Hostname())
	case "/envvar":
		return n.envvar(query.Get("var"))
	case "/healthz":
		n.log("GET /healthz")
		return ok("")
	case "/readyz":
		n.log("GET /readyz")
		if n.stopping {
			return kernel.Response{Status: http.StatusServiceUnavailable, Body: []byte("shutting down")}
		}
		return ok("")
	}
	return kernel.Response{Status: http.StatusNotFound, Body: []byte("404 page not found\n")}
}

func (n *netexec) echo(msg, codeText string) kernel.Response {
	n.log("GET /echo?msg=%s&code=%s", msg, codeText)
	res := kernel.Response{Status: http.StatusOK, Body: []byte(msg)}
	if codeText == "" {
		return res
	}
	code, err := strconv.Atoi(codeText)
	if err != nil {
		res.Body = fmt.Appendf(nil, "argument 'code' must be an integer or empty, got %q\n", codeText)
		return res
	}
	res.Status = code
	return res
}

func (n *netexec) header(req kernel.Request, key string) kernel.Response {
	if key != "" {
		n.log("GET /header?key=%s", key)
		return kernel.Response{Status: http.StatusOK, Body: []byte(req.Header[http.CanonicalHeaderKey(key)])}
	}
	n.log("GET /header")
	all := http.Header{}
	for name, value := range req.Header {
		all.Set(name, value)
	}
	body, err := json.Marshal(all)
	if err != nil {
		body = fmt.Appendf(nil, "error marshalling header, err: %v", err)
	}
	return kernel.Response{Status: http.StatusOK, Body: body}
}

func (n *netexec) envvar(name string) kernel.Response {
	if name == "" {
		return kernel.Response{Status: http.StatusBadRequest, Body: []byte("'var' query parameter is required\n")}
	}
	n.log("GET /envvar?var=%s", name)
	value := n.p.Getenv(name)
	if value == "" {
		return kernel.Response{Status: http.StatusInternalServerError, Body: fmt.Appendf(nil, "env var %q is not set\n", name)}
	}
	return kernel.Response{Status: http.StatusOK, Body: []byte(value)}
}
