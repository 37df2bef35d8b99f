package kernel

import "github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"

// EAGAIN is returned by a fork in a container that has too many processes.
const EAGAIN vfs.Error = "Resource temporarily unavailable"

// Command runs a command as a child of p in the foreground and returns how it
// ended. prepare, where it is not nil, changes the child before it starts. An
// error says that there is no such program.
func (p *Proc) Command(args []string, prepare func(c *Proc)) (Status, error) {
	c, main, err := p.Child(args, prepare)
	if err != nil {
		return Status{}, err
	}
	return p.Run(c, main), nil
}

// Child makes a child of p for a command, ready to be given to Run or Start.
func (p *Proc) Child(args []string, prepare func(c *Proc)) (*Proc, Main, error) {
	c, ok := p.Fork(args)
	if !ok {
		return nil, nil, EAGAIN
	}
	if prepare != nil {
		prepare(c)
	}
	main, err := c.Resolve(args)
	if err != nil {
		c.end(Status{Code: 127})
		return nil, nil, err
	}
	return c, main, nil
}

// Resolve finds the program of a command in p's PATH and makes p its process.
func (p *Proc) Resolve(args []string) (Main, error) {
	file, err := p.LookPath(args[0], p.Getenv("PATH"))
	if err != nil {
		return nil, err
	}
	return p.Load(file, args)
}

// Abandon ends a child that was made but is not going to run.
func (p *Proc) Abandon(code int) { p.end(Status{Code: code}) }
