package server

import (
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// Find finds a program by the name in its file; nil if there is none. unknown
// makes what stands for a command that nothing is known of.
func Find(name string, unknown func(argv []string) kernel.Main) kernel.Main {
	main := find(name, unknown)
	milliCPU, memory := idle(name)
	if main == nil || memory == 0 {
		return main
	}
	return func(p *kernel.Proc) int {
		p.Idle(milliCPU, memory)
		return main(p)
	}
}

// idle is what a server uses that waits for clients, as people report it of the
// official images. Units: thousandths of a core, bytes.
func idle(name string) (milliCPU, memory int64) {
	const mi = 1 << 20
	switch name {
	case "nginx":
		return 1, 7 * mi
	case "httpd":
		return 1, 6 * mi
	case "hpa-example":
		return 1, 12 * mi
	case "redis-server":
		return 3, 4 * mi
	case "postgres":
		return 4, 38 * mi
	case "mysqld":
		return 8, 360 * mi
	case "mariadbd":
		return 2, 95 * mi
	case "mongod":
		return 12, 160 * mi
	case "memcached":
		return 1, 2 * mi
	case "python":
		return 1, 9 * mi
	case "node", "node-hello":
		return 1, 38 * mi
	case "agnhost", "consumer", "test-webserver", "http-echo", "hello-app", "kubernetes-bootcamp", "whoami", "echoserver":
		return 1, 8 * mi
	}
	return 0, 0
}

func find(name string, unknown func(argv []string) kernel.Main) kernel.Main {
	switch name {
	case "pause":
		return pause
	case "entrypoint":
		return entrypoint
	case "nginx":
		return nginx
	case "httpd":
		return httpd
	case "hpa-example":
		return phpApache
	case "consumer":
		return resourceConsumer
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
	case "pg_isready":
		return func(p *kernel.Proc) int { return pgIsReady(p, unknown) }
	case "psql":
		return func(p *kernel.Proc) int { return psql(p, unknown) }
	case "mysqladmin":
		return func(p *kernel.Proc) int { return mysqlAdmin(p, unknown) }
	case "mysql":
		return func(p *kernel.Proc) int { return mysql(p, unknown) }
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
	case "vish-stress":
		return vishStress
	}
	return nil
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
