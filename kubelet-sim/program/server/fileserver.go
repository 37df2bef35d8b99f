package server

import (
	"html"
	"net/http"
	neturl "net/url"
	"path"
	"slices"
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// fileServer serves the whole file system, directories as lists, as agnhost's
// test-webserver does. Source: FileServer in Go's net/http.
func fileServer(p *kernel.Proc, req kernel.Request) kernel.Response {
	name, _, _ := strings.Cut(req.Path, "?")
	dir, u := path.Clean("/"+name), vfs.User{Now: p.Now()}
	if in, err := p.FS().Stat(dir, u); err != nil || !in.IsDir() {
		return files(p, "/", req.Path, "")
	}
	if !strings.HasSuffix(name, "/") {
		return kernel.Response{Status: http.StatusMovedPermanently, Header: map[string]string{"Location": path.Base(dir) + "/"}}
	}
	if _, err := p.FS().Stat(path.Join(dir, "index.html"), u); err == nil {
		return files(p, "/", req.Path, "")
	}
	entries, err := p.FS().ReadDir(dir, u)
	if err != nil {
		return kernel.Response{Status: http.StatusInternalServerError, Body: []byte("Error reading directory\n")}
	}
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		name := entry.Name()
		if entry.IsDir() {
			name += "/"
		}
		names = append(names, name)
	}
	slices.Sort(names)
	var b strings.Builder
	b.WriteString("<!doctype html>\n<meta name=\"viewport\" content=\"width=device-width\">\n<pre>\n")
	for _, name := range names {
		link := neturl.URL{Path: name}
		b.WriteString(`<a href="` + link.String() + `">` + html.EscapeString(name) + "</a>\n")
	}
	b.WriteString("</pre>\n")
	return kernel.Response{Status: http.StatusOK, Header: map[string]string{"Content-Type": "text/html; charset=utf-8"}, Body: []byte(b.String())}
}
