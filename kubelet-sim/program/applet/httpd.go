package applet

import (
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// httpd is busybox's web server for files.
func httpd(c *Call) int {
	const usage = "[-ifv[v]] [-c CONFFILE] [-p [IP:]PORT] [-u USER[:GRP]] [-r REALM] [-h HOME]"
	o, ok := c.parse("ifvc:p:u:r:h:", nil, usage)
	if !ok {
		return 1
	}
	text := o.value('p')
	port, err := strconv.ParseUint(text[strings.LastIndexByte(text, ':')+1:], 10, 16)
	if err != nil {
		port = 80
	}
	root := c.Abs(o.value('h'))
	if o.has('h') {
		if in, err := c.Stat(root); err != nil || !in.IsDir() {
			return c.fail("can't change directory to '%s': %v", o.value('h'), vfs.ENOENT)
		}
	}
	server := c.Proc
	if !o.has('f') {
		if server, ok = c.Fork(append([]string{"httpd"}, c.Args...)); !ok {
			return c.fail("can't fork: %v", kernel.EAGAIN)
		}
	}
	if !server.Listen(int32(port), func(req kernel.Request) kernel.Response { return httpdAnswer(server, root, req) }) {
		if server != c.Proc {
			server.Abandon(1)
		}
		return c.fail("bind: %v", kernel.EADDRINUSE)
	}
	wait := func(p *kernel.Proc) int {
		p.Sleep(-1)
		return 0
	}
	if server == c.Proc {
		return wait(server)
	}
	c.Machine().Start(server, wait)
	return 0
}

// httpdAnswer answers with a file below root.
func httpdAnswer(p *kernel.Proc, root string, req kernel.Request) kernel.Response {
	name, _, _ := strings.Cut(req.Path, "?")
	file := path.Join(root, path.Clean("/"+name))
	u := vfs.User{Now: p.Now()}
	if in, err := p.FS().Stat(file, u); err == nil && in.IsDir() {
		file += "/index.html"
	}
	open, err := p.FS().OpenRegular(file, u)
	if err != nil {
		return kernel.Response{
			Status: http.StatusNotFound, Header: map[string]string{"Content-Type": "text/html"},
			Body: []byte("<HTML><HEAD><TITLE>404 Not Found</TITLE></HEAD>\n<BODY><H1>404 Not Found</H1>\nThe requested URL was not found\n</BODY></HTML>\n"),
		}
	}
	kind := map[string]string{".html": "text/html", ".htm": "text/html", ".txt": "text/plain"}[path.Ext(file)]
	if kind == "" {
		kind = "application/octet-stream"
	}
	return kernel.Response{Status: http.StatusOK, Header: map[string]string{"Content-Type": kind}, File: open}
}
