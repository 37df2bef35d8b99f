package program

import (
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/applet"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/server"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/shell"
)

// program finds what runs a program file of a name, see kernel.Executable.
// A multi-call binary runs the applet that it is called as.
func (p *Process) program(name string) kernel.Main {
	switch name {
	case "busybox", "busybox-1.28":
		return func(c *kernel.Proc) int { return p.busybox(c, name) }
	case "sh", "ash":
		return func(c *kernel.Proc) int { return shell.Main(c, shell.Ash, p.spec.Catalog.shells) }
	case "dash":
		return func(c *kernel.Proc) int { return shell.Main(c, shell.Dash, p.spec.Catalog.shells) }
	case "bash":
		return func(c *kernel.Proc) int { return shell.Main(c, shell.Bash, p.spec.Catalog.shells) }
	case "simulated":
		return func(c *kernel.Proc) int { return p.simulated(c.Args)(c) }
	}
	if gnu, ok := strings.CutPrefix(name, "gnu-"); ok {
		if f := applet.Find(gnu); f != nil {
			return func(c *kernel.Proc) int { return applet.Run(c, f, applet.GNU) }
		}
	}
	if name == "curl" {
		return func(c *kernel.Proc) int { return applet.Run(c, applet.Find("curl"), applet.Busybox) }
	}
	return server.Find(name, p.simulated)
}

// busybox runs the applet that argv[0], or argv[1] of busybox itself, names.
func (p *Process) busybox(c *kernel.Proc, program string) int {
	name := c.Args[0][strings.LastIndexByte(c.Args[0], '/')+1:]
	if name == "busybox" {
		if len(c.Args) == 1 {
			_, _ = c.Stdout().Write([]byte(applet.Banner + "\n\nUsage: busybox [function [arguments]...]\n"))
			return 0
		}
		c.Args = c.Args[1:]
		name = c.Args[0]
	}
	switch name = strings.TrimPrefix(name, "-"); name {
	case "sh", "ash", "bash":
		return shell.Main(c, shell.Ash, p.spec.Catalog.shells)
	}
	f := applet.Find(name)
	if name == "nslookup" && program == "busybox-1.28" {
		f = applet.Find("nslookup-1.28")
	}
	if f == nil {
		_, _ = c.Stderr().Write([]byte(name + ": applet not found\n"))
		return 127
	}
	return applet.Run(c, f, applet.Busybox)
}
