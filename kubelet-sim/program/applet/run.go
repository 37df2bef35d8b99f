package applet

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// runFamily are the applets that run other programs.
func runFamily(name string) Func {
	switch name {
	case "env":
		return env
	case "printenv":
		return printenv
	case "xargs":
		return xargs
	case "timeout":
		return timeout
	case "nohup", "nice", "ionice", "setsid", "stdbuf", "chrt":
		return wrapper
	case "time":
		return timeApplet
	case "watch":
		return watch
	case "which":
		return which
	case "su":
		return func(c *Call) int { return c.fail("must be suid to work properly") }
	}
	return nil
}

// execute runs a command in the foreground and returns its exit code, 127 or
// 126 after a message if it cannot be run.
func (c *Call) execute(args, env []string) int {
	c.flush()
	status, err := c.Command(args, func(p *kernel.Proc) {
		if env != nil {
			p.Env = env
		}
	})
	if err == nil {
		return status.ExitCode()
	}
	c.cannotExecute(args[0], err)
	if errors.Is(err, fs.ErrNotExist) {
		return 127
	}
	return 126
}

func (c *Call) cannotExecute(name string, err error) {
	switch {
	case c.style == GNU && c.Name == "timeout":
		c.fail("failed to run command '%s': %v", name, err)
	case c.style == GNU:
		c.fail("'%s': %v", name, err)
	case c.Name == "xargs":
		c.fail("%s: %v", name, err)
	default:
		c.fail("can't execute '%s': %v", name, err)
	}
}

func env(c *Call) int {
	o, ok := c.parse("+iu:0C:S:", map[string]byte{"ignore-environment": 'i', "unset": 'u'}, "[-i0] [-u NAME]... [-] [NAME=VALUE]... [PROG ARGS]")
	if !ok {
		return 125
	}
	list := slices.Clone(c.Env)
	args := o.rest
	if len(args) > 0 && args[0] == "-" {
		list, args = nil, args[1:]
	}
	if o.has('i') {
		list = nil
	}
	gone := make(map[string]bool, len(o.values['u']))
	for _, name := range o.values['u'] {
		gone[name] = true
	}
	list = slices.DeleteFunc(list, func(e string) bool { return gone[envName(e)] })
	at := make(map[string]int, len(list))
	for i, e := range list {
		if _, ok := at[envName(e)]; !ok {
			at[envName(e)] = i
		}
	}
	for len(args) > 0 && strings.Contains(args[0], "=") {
		name := envName(args[0])
		if i, ok := at[name]; ok {
			list[i] = args[0]
		} else {
			at[name] = len(list)
			list = append(list, args[0])
		}
		args = args[1:]
	}
	if len(args) == 0 {
		for _, e := range list {
			c.print(e + "\n")
		}
		return 0
	}
	path := c.Env
	if _, ok := kernel.LookupEnv(list, "PATH"); ok {
		path = list
	}
	// The program is found by PATH as env sees it.
	if file, err := c.LookPath(args[0], valueOf(path, "PATH")); err == nil {
		return c.executeFile(file, args, list)
	}
	return c.execute(args, append(list, "PATH="))
}

// envName is the name of NAME=value.
func envName(e string) string {
	name, _, _ := strings.Cut(e, "=")
	return name
}

func valueOf(env []string, name string) string {
	v, _ := kernel.LookupEnv(env, name)
	return v
}

func (c *Call) executeFile(file string, args, env []string) int {
	c.flush()
	p, ok := c.Fork(args)
	if !ok {
		return c.fail("can't fork: %v", kernel.EAGAIN)
	}
	p.Env = env
	main, err := p.Load(file, args)
	if err != nil {
		p.Abandon(126)
		c.cannotExecute(args[0], err)
		return 126
	}
	return c.Proc.Run(p, main).ExitCode()
}

func printenv(c *Call) int {
	if len(c.Args) == 0 {
		for _, e := range c.Env {
			c.print(e + "\n")
		}
		return 0
	}
	code := 0
	for _, name := range c.Args {
		c.Work(8 * len(c.Env))
		v, ok := kernel.LookupEnv(c.Env, name)
		if !ok {
			code = 1
			continue
		}
		c.print(v + "\n")
	}
	return code
}
