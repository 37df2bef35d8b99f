package server

import (
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

func secondsOf(n int64) time.Duration { return engine.Seconds(n) }

// size reads 128M, 1G, 250k.
func size(s string) int64 {
	unit := int64(1)
	if s != "" {
		if u, ok := map[byte]int64{'k': 1 << 10, 'K': 1 << 10, 'm': 1 << 20, 'M': 1 << 20, 'g': 1 << 30, 'G': 1 << 30}[s[len(s)-1]]; ok {
			unit, s = u, s[:len(s)-1]
		}
	}
	n, err := strconv.ParseInt(s, 10, 40)
	if err != nil {
		return 0
	}
	return n * unit
}

// nginxConfigure prints what the nginx image's entrypoint prints.
func nginxConfigure(p *kernel.Proc) {
	const self = "/docker-entrypoint.sh: "
	outf(p, "%s", self+"/docker-entrypoint.d/ is not empty, will attempt to perform configuration\n"+
		self+"Looking for shell scripts in /docker-entrypoint.d/\n"+
		self+"Launching /docker-entrypoint.d/10-listen-on-ipv6-by-default.sh\n")
	const conf = "/etc/nginx/conf.d/default.conf"
	if p.FS().Access(conf, 2, p.User()) == nil {
		outf(p, "10-listen-on-ipv6-by-default.sh: info: Getting the checksum of %s\n10-listen-on-ipv6-by-default.sh: info: Enabled listen on IPv6 in %s\n", conf, conf)
	} else {
		outf(p, "10-listen-on-ipv6-by-default.sh: info: can not modify %s (read-only file system?)\n", conf)
	}
	outf(p, "%s", self+"Sourcing /docker-entrypoint.d/15-local-resolvers.envsh\n"+
		self+"Launching /docker-entrypoint.d/20-envsubst-on-templates.sh\n"+
		self+"Launching /docker-entrypoint.d/30-tune-worker-processes.sh\n"+
		self+"Configuration complete; ready for start up\n")
}

// nginx is the web server in the foreground or, without "daemon off;", in the
// background.
func nginx(p *kernel.Proc) int {
	version := p.Getenv("NGINX_VERSION")
	foreground := false
	for i, a := range p.Args[1:] {
		switch {
		case a == "-v" || a == "-V":
			errf(p, "nginx version: nginx/%s\n", version)
			return 0
		case a == "-t":
			errf(p, "nginx: the configuration file /etc/nginx/nginx.conf syntax is ok\nnginx: configuration file /etc/nginx/nginx.conf test is successful\n")
			return 0
		case a == "-s":
			return nginxSignal(p, i)
		case strings.Contains(a, "daemon off"):
			foreground = true
		}
	}
	if !foreground && p.PID != 1 {
		c, ok := p.Fork([]string{"nginx: master process nginx"})
		if !ok {
			return 1
		}
		p.Machine().Start(c, func(c *kernel.Proc) int { return nginxServe(c, version) })
		return 0
	}
	if !foreground {
		return 0 // the master leaves, and the container with it
	}
	return nginxServe(p, version)
}

func nginxSignal(p *kernel.Proc, i int) int {
	name := ""
	if i+2 < len(p.Args) {
		name = p.Args[i+2]
	}
	s := map[string]kernel.Signal{"stop": kernel.SIGTERM, "quit": kernel.SIGQUIT, "reload": kernel.SIGHUP, "reopen": kernel.SIGUSR1}[name]
	if s == 0 {
		errf(p, "nginx: invalid option: \"-s %s\"\n", name)
		return 1
	}
	for _, other := range p.Machine().Processes() {
		if other != p && strings.Contains(strings.Join(other.Args, " "), "nginx") {
			p.Signal(other, s)
			return 0
		}
	}
	return 1
}

func nginxServe(p *kernel.Proc, version string) int {
	port := nginxPort(p)
	access, _ := p.OpenFile("/var/log/nginx/access.log", vfs.Write|vfs.Append|vfs.Create, 0o644)
	errors, _ := p.OpenFile("/var/log/nginx/error.log", vfs.Write|vfs.Append|vfs.Create, 0o644)
	note := func(text string) {
		errors.WriteNow(p, fmt.Sprintf("%s [notice] %d#%d: %s\n", p.Now().UTC().Format("2006/01/02 15:04:05"), p.PID, p.PID, text))
	}
	note(`using the "epoll" event method`)
	note("nginx/" + version)
	note("built by gcc 12.2.0 (Debian 12.2.0-14+deb12u1) ")
	note("OS: Linux " + kernel.KernelRelease)
	note("getrlimit(RLIMIT_NOFILE): 1048576:1048576")
	note("start worker processes")
	note("start worker process 29")
	note("start worker process 30")
	serve := func(req kernel.Request) kernel.Response {
		res := files(p, "/usr/share/nginx/html", req.Path, "nginx/"+version)
		sent := res.Size()
		if req.Method == "HEAD" {
			sent = 0
		}
		access.WriteNow(p, fmt.Sprintf("%s - - [%s] \"%s %s HTTP/1.1\" %d %d \"-\" \"%s\" \"-\"\n", client(req), p.Now().UTC().Format("02/Jan/2006:15:04:05 -0700"),
			req.Method, req.Path, res.Status, sent, req.Header["User-Agent"]))
		return res
	}
	if !p.Listen(port, serve) {
		errf(p, "nginx: [emerg] bind() to 0.0.0.0:%d failed (98: Address already in use)\n", port)
		return 1
	}
	p.Handle(kernel.SIGTERM, kernel.SIGINT, kernel.SIGQUIT, kernel.SIGHUP, kernel.SIGUSR1, kernel.SIGWINCH)
	for {
		switch s := p.Pause(); s {
		case kernel.SIGQUIT:
			note("signal 3 (SIGQUIT) received, shutting down")
			note("exit")
			return 0
		case kernel.SIGTERM, kernel.SIGINT:
			note(fmt.Sprintf("signal %d (SIG%s) received, exiting", s, s.Name()))
			note("exit")
			return 0
		case kernel.SIGHUP:
			note("signal 1 (SIGHUP) received, reconfiguring")
		}
	}
}

func client(req kernel.Request) string {
	if req.From.IsValid() {
		return req.From.String()
	}
	return "127.0.0.1"
}

// nginxPort reads the first listen directive below /etc/nginx/conf.d.
func nginxPort(p *kernel.Proc) int32 {
	list, err := p.ReadDir("/etc/nginx/conf.d")
	if err != nil {
		return 80
	}
	for _, f := range list {
		if !strings.HasSuffix(f.Name(), ".conf") {
			continue
		}
		data, err := p.ReadFile("/etc/nginx/conf.d/"+f.Name(), 64<<10)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(data)) {
			words := strings.Fields(line)
			if len(words) < 2 || words[0] != "listen" {
				continue
			}
			text := strings.TrimSuffix(words[1], ";")
			text = text[strings.LastIndexByte(text, ':')+1:]
			if n, err := strconv.Atoi(text); err == nil && n > 0 && n < 1<<16 {
				return int32(n)
			}
		}
	}
	return 80
}

// files answers with a file below root, or an index.html.
func files(p *kernel.Proc, root, url, software string) kernel.Response {
	name, _, _ := strings.Cut(url, "?")
	file := path.Join(root, path.Clean("/"+name))
	u := vfs.User{Now: p.Now()}
	if in, err := p.FS().Stat(file, u); err == nil && in.IsDir() {
		file += "/index.html"
		if _, err := p.FS().Stat(file, u); err != nil {
			return page(403, "Forbidden", software)
		}
	}
	open, err := p.FS().OpenRegular(file, u)
	if err != nil {
		return page(404, "Not Found", software)
	}
	kind := "text/html"
	if ext := path.Ext(file); ext != ".html" && ext != ".htm" {
		kind = "text/plain"
	}
	return kernel.Response{Status: 200, Header: map[string]string{"Server": software, "Content-Type": kind}, File: open}
}

func page(status int, text, software string) kernel.Response {
	body := fmt.Sprintf("<html>\r\n<head><title>%d %s</title></head>\r\n<body>\r\n<center><h1>%d %s</h1></center>\r\n<hr><center>%s</center>\r\n</body>\r\n</html>\r\n",
		status, text, status, text, software)
	return kernel.Response{Status: status, Header: map[string]string{"Server": software, "Content-Type": "text/html"}, Body: []byte(body)}
}

// testWebserver serves the files of the container.
func testWebserver(p *kernel.Proc) int {
	p.Listen(int32(flagInt(p.Args, "port", 80)), func(req kernel.Request) kernel.Response {
		return files(p, "/", req.Path, "")
	})
	return goServer(p)
}

// goServer waits as a Go program without signal handlers does: its runtime
// exits with 2 when a signal that it raises anew cannot end process 1.
func goServer(p *kernel.Proc) int {
	p.Handle(kernel.SIGTERM, kernel.SIGINT, kernel.SIGHUP)
	if s := p.Pause(); p.PID != 1 {
		return 128 + int(s)
	}
	return 2
}

func nodeHello(p *kernel.Proc) int {
	outf(p, "Magic happens on port 3000\n")
	p.Listen(3000, func(kernel.Request) kernel.Response {
		return kernel.Response{Status: 200, Header: map[string]string{"Content-Type": "text/html; charset=utf-8"}, Body: []byte("Hello World")}
	})
	p.Sleep(-1)
	return 0
}
