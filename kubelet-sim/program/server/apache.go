package server

import (
	"fmt"
	"strings"
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// apache is Apache's server, of one of its images.
type apache struct {
	// name is what messages call the program, module is how it has been built to work, and
	// version is what it says of itself.
	name, module, version string
	port                  int32
	answer                func(req kernel.Request) kernel.Response
}

// httpd is the official image of Apache's server.
func httpd(p *kernel.Proc) int {
	version := "Apache/" + p.Getenv("HTTPD_VERSION") + " (Unix)"
	return apache{name: "httpd", module: "mpm_event", version: version, port: 80, answer: func(req kernel.Request) kernel.Response {
		return files(p, "/usr/local/apache2/htdocs", req.Path, version)
	}}.run(p)
}

// phpCPU is what the page of hpa-example costs: a million square roots in PHP 5. Unit: time
// of one core.
const phpCPU = 23 * time.Millisecond

// phpApache is the image of the walkthrough of HorizontalPodAutoscalers: each request costs
// it CPU. Source: the index.php in
// https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale-walkthrough.
func phpApache(p *kernel.Proc) int {
	version := "Apache/2.4.25 (Debian)"
	return apache{name: "apache2", module: "mpm_prefork", version: version + " PHP/" + p.Getenv("PHP_VERSION"), port: 80, answer: func(req kernel.Request) kernel.Response {
		switch name, _, _ := strings.Cut(req.Path, "?"); name {
		case "/", "/index.php":
		default:
			return page(404, "Not Found", version)
		}
		header := map[string]string{"Server": version, "X-Powered-By": "PHP/" + p.Getenv("PHP_VERSION"), "Content-Type": "text/html; charset=UTF-8"}
		return kernel.Response{Status: 200, Header: header, Body: []byte("OK!"), CPU: phpCPU}
	}}.run(p)
}

// run serves until a signal ends it.
func (a apache) run(p *kernel.Proc) int {
	for range 2 {
		errf(p, "AH00558: %s: Could not reliably determine the server's fully qualified domain name, using %s. Set the 'ServerName' directive globally to suppress this message\n", a.name, p.Hostname())
	}
	note := func(module, text string) {
		errf(p, "[%s] [%s:notice] [pid %d:tid %d] %s\n", p.Now().UTC().Format("Mon Jan 02 15:04:05.000000 2006"), module, p.PID, p.PID, text)
	}
	note(a.module, "AH00489: "+a.version+" configured -- resuming normal operations")
	note("core", fmt.Sprintf("AH00094: Command line: '%s -D FOREGROUND'", a.name))
	p.Listen(a.port, func(req kernel.Request) kernel.Response {
		res := a.answer(req)
		p.FD(1).WriteNow(p, fmt.Sprintf("%s - - [%s] \"%s %s HTTP/1.1\" %d %d\n", client(req), p.Now().UTC().Format("02/Jan/2006:15:04:05 -0700"), req.Method, req.Path, res.Status, res.Size()))
		return res
	})
	p.Handle(kernel.SIGTERM, kernel.SIGWINCH, kernel.SIGHUP, kernel.SIGUSR1)
	for {
		switch p.Pause() {
		case kernel.SIGTERM:
			note(a.module, "AH00491: caught SIGTERM, shutting down")
			return 0
		case kernel.SIGWINCH:
			note(a.module, "AH00492: caught SIGWINCH, shutting down gracefully")
			return 0
		}
	}
}
