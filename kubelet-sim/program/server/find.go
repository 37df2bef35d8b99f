package server

import (
	"fmt"
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// Find finds a program by the name in its file; nil if there is none. unknown
// makes what stands for a command that nothing is known of.
func Find(name string, unknown func(argv []string) kernel.Main) kernel.Main {
	switch name {
	case "pause":
		return pause
	case "entrypoint":
		return entrypoint
	case "nginx":
		return nginx
	case "httpd":
		return httpd
	case "test-webserver":
		return testWebserver
	case "node-hello":
		return nodeHello
	case "http-echo", "hello-app", "kubernetes-bootcamp", "whoami", "echoserver":
		return func(p *kernel.Proc) int { return greeter(p, name) }
	case "redis-server":
		return redisServer
	case "redis-cli":
		return redisCLI
	case "postgres":
		return postgres
	case "mysqld", "mariadbd":
		return mysqld
	case "mongod", "memcached":
		return quietServer
	case "perl":
		return perl
	case "python":
		return func(p *kernel.Proc) int { return script(p, python(), unknown) }
	case "node":
		return func(p *kernel.Proc) int { return script(p, node(), unknown) }
	case "agnhost":
		return agnhost
	case "stress":
		return stress
	}
	return nil
}

func outf(p *kernel.Proc, format string, args ...any) {
	_, _ = fmt.Fprintf(p.Stdout(), format, args...)
}
func errf(p *kernel.Proc, format string, args ...any) {
	_, _ = fmt.Fprintf(p.Stderr(), format, args...)
}

// pause runs until it is told to end.
// Source: build/pause/linux/pause.c in k8s.io/kubernetes v1.37.2.
func pause(p *kernel.Proc) int {
	if len(p.Args) > 1 && p.Args[1] == "-v" {
		outf(p, "pause.c 3.10.2\n")
		return 0
	}
	p.Handle(kernel.SIGINT, kernel.SIGTERM)
	s := p.Pause()
	errf(p, "Shutting down, got signal: %s\n", map[kernel.Signal]string{kernel.SIGINT: "Interrupt", kernel.SIGTERM: "Terminated"}[s])
	return 0
}

// entrypoint is an official image's docker-entrypoint.sh: it runs the command
// that it is given in its own place.
func entrypoint(p *kernel.Proc) int {
	args := p.Args[1:]
	for len(args) > 0 && hasName(p.Args[0], args[0]) {
		args = args[1:] // the script's own path after an interpreter
	}
	if len(args) == 0 {
		return 0
	}
	if args[0] == "nginx" || args[0] == "nginx-debug" {
		nginxConfigure(p)
	}
	name := args[0]
	self := p.Args[0]
	main, err := p.Resolve(args)
	if err != nil {
		errf(p, "%s: exec: line 47: %s: not found\n", self, name)
		return 127
	}
	return main(p)
}

func hasName(a, b string) bool { return strings.HasSuffix(b, "docker-entrypoint.sh") && a == b }

// quietServer listens and says nothing.
func quietServer(p *kernel.Proc) int {
	port := map[string]int32{"mongod": 27017, "memcached": 11211}[p.Name()]
	p.Listen(port, nil)
	p.Handle(kernel.SIGTERM, kernel.SIGINT)
	p.Pause()
	return 0
}

// stress is polinux/stress: --vm-bytes beyond the container's limit gets it
// killed.
func stress(p *kernel.Proc) int {
	wait, bytes := int64(-1), int64(0)
	for i := 1; i+1 < len(p.Args); i++ {
		switch p.Args[i] {
		case "--vm-bytes":
			bytes = size(p.Args[i+1])
		case "--timeout", "-t":
			wait = size(strings.TrimSuffix(p.Args[i+1], "s"))
		}
	}
	outf(p, "stress: info: [%d] dispatching hogs: 0 cpu, 0 io, 1 vm, 0 hdd\n", p.PID)
	if limit := p.Machine().MemoryLimit(); limit > 0 && bytes >= limit {
		p.Sleep(1e9)
		p.Machine().KillForMemory(p)
	}
	if wait < 0 {
		p.Sleep(-1)
	}
	p.Sleep(secondsOf(wait))
	outf(p, "stress: info: [%d] successful run completed in %ds\n", p.PID, wait)
	return 0
}
