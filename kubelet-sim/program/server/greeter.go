package server

import (
	"fmt"
	"net/http"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// greeter is one of the small web servers that tutorials use to show who has
// answered.
func greeter(p *kernel.Proc, name string) int {
	port, text := int32(8080), ""
	version := p.Getenv("VERSION")
	if version == "" {
		version = "1.0.0"
	}
	say := func(kernel.Request) string { return text }
	switch name {
	case "http-echo": // hashicorp/http-echo
		port = 5678
		if listen, ok := flagValue(p.Args, "listen"); ok {
			_, _ = fmt.Sscanf(listen, ":%d", &port)
		}
		text, _ = flagValue(p.Args, "text")
		if text == "" {
			errf(p, "Missing -text option!\n")
			return 127
		}
		text += "\n"
		outf(p, "%s [INFO] server is listening on :%d\n", p.Now().UTC().Format("2006/01/02 15:04:05"), port)
	case "hello-app": // google-samples/hello-app
		text = fmt.Sprintf("Hello, world!\nVersion: %s\nHostname: %s\n", version, p.Hostname())
		errf(p, "%s Server listening on port %d\n", p.Now().UTC().Format("2006/01/02 15:04:05"), port)
	case "kubernetes-bootcamp":
		text = fmt.Sprintf("Hello Kubernetes bootcamp! | Running on: %s | v=1\n", p.Hostname())
		outf(p, "Kubernetes Bootcamp App Started At: %s | Running On:  %s \n\n", p.Now().UTC().Format("2006-01-02T15:04:05.000Z"), p.Hostname())
	case "whoami": // traefik/whoami
		port = 80
		say = func(req kernel.Request) string {
			return fmt.Sprintf("Hostname: %s\nIP: 127.0.0.1\nRemoteAddr: %s\n%s %s HTTP/1.1\nHost: %s\nUser-Agent: %s\n\n",
				p.Hostname(), client(req), req.Method, req.Path, req.Host, req.Header["User-Agent"])
		}
		outf(p, "%s Starting up on port %d\n", p.Now().UTC().Format("2006/01/02 15:04:05"), port)
	case "echoserver":
		say = func(req kernel.Request) string {
			return fmt.Sprintf("\n\nHostname: %s\n\nRequest Information:\n\tclient_address=%s\n\tmethod=%s\n\treal path=%s\n\n", p.Hostname(), client(req), req.Method, req.Path)
		}
	}
	p.Listen(port, func(req kernel.Request) kernel.Response {
		return kernel.Response{Status: http.StatusOK, Header: map[string]string{"Content-Type": "text/plain; charset=utf-8"}, Body: []byte(say(req))}
	})
	return goServer(p)
}
