package server

import (
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// agnhost is the test image of upstream's suites.
// Source: test/images/agnhost in k8s.io/kubernetes v1.37.2.
func agnhost(p *kernel.Proc) int {
	command := ""
	if len(p.Args) > 1 {
		command = p.Args[1]
	}
	switch command {
	case "pause":
		return agnhostPause(p)
	case "entrypoint-tester":
		outf(p, "%v\n", p.Args)
		return 0
	case "mounttest":
		return mounttest(p)
	case "logs-generator":
		return logsGenerator(p)
	case "etc-hosts":
		return printFile(p, "/etc/hosts")
	case "dns-suffix":
		return resolvConf(p, "search")
	case "dns-server-list":
		return resolvConf(p, "nameserver")
	case "grpc-health-checking":
		return grpcHealth(p)
	case "webhook", "crd-conversion-webhook":
		return webhookServer(p, command)
	case "netexec", "serve-hostname", "nettest", "liveness", "guestbook", "porter", "test-webserver", "net", "no-snat-test", "no-snat-test-proxy", "port-forward-tester",
		"fake-gitserver", "resource-consumer-controller", "tcp-reset", "mtlsserver", "h2c-server", "audit-proxy", "external-metrics":
		return agnhostServer(p, command)
	case "":
		outf(p, "Usage:\n  app [command]\n")
		return 0
	}
	errf(p, "Error: unknown command %q for \"app\"\nRun 'app --help' for usage.\n", command)
	return 1
}

func agnhostPause(p *kernel.Proc) int {
	outf(p, "Paused\n")
	p.Handle(kernel.SIGINT, kernel.SIGTERM)
	outf(p, "Signals registered\n")
	s := p.Pause()
	name := map[kernel.Signal]string{kernel.SIGINT: "interrupt", kernel.SIGTERM: "terminated"}[s]
	text := fmt.Sprintf("exiting because of signal %q\n", name)
	file := p.Getenv("TERMINATION_MESSAGE_PATH")
	if file == "" {
		file = "/dev/termination-log"
	}
	_ = writeFile(p, file, text, 0o644)
	outf(p, "%s", text)
	if s == kernel.SIGINT {
		return 1
	}
	return 2
}

func writeFile(p *kernel.Proc, name, text string, mode fs.FileMode) error {
	o, err := p.OpenFile(name, vfs.Write|vfs.Create|vfs.Truncate, mode)
	if err != nil {
		return err
	}
	w := p.ReaderOf(o)
	defer func() { _ = w.Close() }()
	_, err = w.Write([]byte(text))
	return err
}

func printFile(p *kernel.Proc, name string) int {
	data, err := p.ReadFile(name, 1<<20)
	if err != nil {
		errf(p, "panic: open %s: %s\n", name, goError(err))
		return 2
	}
	outf(p, "%s\n", data)
	return 0
}

func resolvConf(p *kernel.Proc, key string) int {
	data, _ := p.ReadFile("/etc/resolv.conf", 1<<20)
	for line := range strings.SplitSeq(string(data), "\n") {
		if strings.HasPrefix(line, key) {
			outf(p, "%s\n", strings.Join(strings.Split(line, " ")[1:], ","))
			return 0
		}
	}
	errf(p, "panic: Could not find DNS search list!\n")
	return 2
}

func agnhostServer(p *kernel.Proc, command string) int {
	port := map[string]int{"serve-hostname": 9376, "guestbook": 80, "test-webserver": 80, "mtlsserver": 443}[command]
	if port == 0 {
		port = 8080
	}
	port = flagInt(p.Args, "port", flagInt(p.Args, "http-port", port))
	started, server := p.Now(), &netexec{p: p, port: port}
	if command == "netexec" {
		p.Listen(int32(port), server.answer)
		server.log("Started HTTP server on port %d", port)
	} else {
		p.Listen(int32(port), func(req kernel.Request) kernel.Response { return agnhostAnswer(p, command, started, req) })
	}
	p.Handle(kernel.SIGTERM, kernel.SIGINT)
	p.Pause()
	server.stopping = true
	if delay := flagInt(p.Args, "delay-shutdown", 0); delay > 0 {
		server.log("Sleeping %d seconds before terminating...", delay)
		p.Sleep(secondsOf(int64(delay)))
		return 0
	}
	return 2
}

func agnhostAnswer(p *kernel.Proc, command string, started time.Time, req kernel.Request) kernel.Response {
	ok := func(s string) kernel.Response { return kernel.Response{Status: 200, Body: []byte(s)} }
	url, _, _ := strings.Cut(req.Path, "?")
	switch {
	case command == "test-webserver":
		return fileServer(p, req)
	case command == "liveness" && url == "/healthz":
		if d := p.Now().Sub(started).Seconds(); d > 10 {
			return kernel.Response{Status: 500, Body: fmt.Appendf(nil, "error: %v", d)}
		}
		return ok("ok")
	case url == "/hostname" || url == "/hostName" || command == "serve-hostname":
		return ok(p.Hostname())
	case url == "/healthz" || url == "/readyz":
		return ok("")
	case url == "/":
		return ok("NOW: " + p.Now().UTC().String())
	}
	return kernel.Response{Status: 404, Body: []byte("404 page not found\n")}
}

// logsGenerator prints lines uniformly over a time.
func logsGenerator(p *kernel.Proc) int {
	lines := flagInt(p.Args, "log-lines-total", flagInt(p.Args, "t", 0))
	text, ok := flagValue(p.Args, "run-duration")
	if !ok {
		text, _ = flagValue(p.Args, "d")
	}
	span, err := time.ParseDuration(text)
	if lines <= 0 || err != nil || span <= 0 {
		errf(p, "F0101 00:00:00.000000 %7d logs_generator.go:64] Invalid total number of lines: %d\n", p.PID, lines)
		return 255
	}
	random := func(from, to int) int { return from + int(p.Machine().Random()%uint64(to-from)) }
	const letters = "bcdfghjklmnpqrstvwxz2456789"
	for i := range lines {
		name := make([]byte, random(3, 5))
		for k := range name {
			name[k] = letters[random(0, len(letters))]
		}
		method, namespace := [...]string{"GET", "POST", "PUT"}[random(0, 3)], [...]string{"kube-system", "default", "ns"}[random(0, 3)]
		errf(p, "I%s %7d logs_generator.go:76] %d %s /api/v1/namespaces/%s/pods/%s %d\n", p.Now().UTC().Format("0102 15:04:05.000000"), p.PID, i, method, namespace, name, random(200, 600))
		p.Sleep(span / time.Duration(lines))
	}
	return 0
}
