package program

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/image"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// Process is a container that was started.
type Process struct {
	m       *kernel.Machine
	spec    Spec
	image   *image.Image
	env     []string
	user    image.User
	dir     string
	session *kernel.Session
}

// Start starts a container and runs it until it waits for the first time. An
// error is a *StartError, or says that the root cannot be made.
func Start(spec Spec, now time.Time) (*Process, error) {
	if spec.Catalog == nil {
		spec.Catalog = NewCatalog()
	}
	p, err := newProcess(spec, now)
	if err != nil {
		return nil, err
	}
	p.session = kernel.NewSession(kernel.SessionConfig{Source: spec.Stdin, Open: spec.StdinOpen, TTY: spec.TTY, Output: spec.Output})
	init := p.m.NewProc(p.session)
	p.prepare(init, p.env, p.dir)
	main, why := p.main(init)
	if why != nil {
		p.m.Close()
		return nil, why.during(whenCreating)
	}
	p.m.Start(init, main)
	p.m.Resume(now)
	return p, nil
}

func newProcess(spec Spec, now time.Time) (*Process, error) {
	im := spec.Catalog.Image(spec.Image)
	if spec.Root == nil {
		root, err := spec.Catalog.Root(spec.Image, now)
		if err != nil {
			return nil, err
		}
		spec.Root = root
	}
	p := &Process{spec: spec, image: im}
	p.m = kernel.New(kernel.Config{
		Root: spec.Root, ReadOnlyRoot: spec.ReadOnlyRoot, Hostname: spec.Hostname, Seed: spec.Seed,
		MemoryLimit: spec.MemoryLimit, Netns: spec.Netns, Network: spec.Network, Woken: spec.Woken, Programs: p.program, Account: spec.Account,
		CPULimit: spec.CPULimit, Spent: spec.Spent,
	}, now)
	if err := p.m.MountProc(); err != nil {
		return nil, err
	}
	p.user = im.UserOf(spec.User, spec.Group)
	p.dir = spec.WorkingDir
	if p.dir == "" {
		p.dir = im.WorkingDir
	}
	p.env = im.Environment(spec.Env, spec.Hostname, p.user)
	return p, p.layRoot(now)
}

// layRoot makes what a runtime puts into a root: the working directory,
// /etc/hostname and the termination log.
func (p *Process) layRoot(now time.Time) error {
	root, u := p.spec.Root, vfs.User{Now: now}
	if _, err := root.Stat(p.dir, u); err == vfs.ENOENT {
		if err := root.MkdirAll(p.dir, 0o755, u); err != nil {
			return (&StartError{128, "mkdir " + p.dir + ": " + strings.ToLower(err.Error())}).during(whenCreating)
		}
	}
	for _, file := range [...]struct {
		name, text string
		mode       fs.FileMode
	}{
		{"/etc/hostname", p.spec.Hostname + "\n", 0o644},
		{p.terminationLog(), "", 0o666},
	} {
		if _, err := root.Stat(file.name, u); err != vfs.ENOENT {
			continue
		}
		if err := root.WriteFile(file.name, []byte(file.text), file.mode, now); err != nil {
			return (&StartError{128, "open " + file.name + ": " + strings.ToLower(err.Error())}).during(whenCreating)
		}
	}
	return nil
}

func (p *Process) terminationLog() string {
	if p.spec.TerminationMessagePath != "" {
		return p.spec.TerminationMessagePath
	}
	return "/dev/termination-log"
}

// prepare gives a process without a parent its user, place and environment.
func (p *Process) prepare(c *kernel.Proc, env []string, dir string) {
	c.UID, c.GID, c.Cwd, c.Env = p.user.UID, p.user.GID, vfs.Clean(dir), env
	for _, g := range p.spec.Groups {
		c.Groups = append(c.Groups, uint32(g))
	}
	if p.user.UID != 0 || len(c.Groups) > 0 { // the kernel keeps them sorted; the primary one is among them
		c.Groups = append(c.Groups, c.GID)
		slices.Sort(c.Groups)
		c.Groups = slices.Compact(c.Groups)
	}
}

// argv is the container's command, or the image's.
func (p *Process) argv() []string {
	switch s := p.spec; {
	case len(s.Command) > 0:
		return append(s.Command[:len(s.Command):len(s.Command)], s.Args...)
	case len(s.Args) > 0:
		e := p.image.Entrypoint
		return append(e[:len(e):len(e)], s.Args...)
	default:
		e := p.image.Entrypoint
		return append(e[:len(e):len(e)], p.image.Cmd...)
	}
}

// main is what process 1 runs, or why it cannot be started.
func (p *Process) main(init *kernel.Proc) (kernel.Main, *StartError) {
	if p.spec.Main == nil {
		return p.load(init, p.argv())
	}
	init.Args = p.argv()
	in := Container{
		Command: func(c *kernel.Proc) (kernel.Main, error) {
			main, why := p.load(c, p.argv())
			if why != nil {
				return nil, why
			}
			return main, nil
		},
		Shell:          p.program("sh"),
		TerminationLog: p.terminationLog(),
	}
	return func(c *kernel.Proc) int { return p.spec.Main(c, in) }, nil
}

// load resolves argv, or says why it cannot be started.
func (p *Process) load(c *kernel.Proc, argv []string) (kernel.Main, *StartError) {
	if len(argv) == 0 {
		if p.image.Closed {
			return nil, &StartError{128, "no command specified"}
		}
		return p.simulated(nil), nil
	}
	c.Args = argv
	main, err := c.Resolve(argv)
	switch {
	case err == nil:
		return main, nil
	case !p.image.Closed && !strings.HasPrefix(argv[0], "/bin/") && errors.Is(err, fs.ErrNotExist):
		return p.simulated(argv), nil
	case !p.image.Closed && err == vfs.ENOENT:
		return p.simulated(argv), nil
	case err == vfs.ENOENT && !strings.Contains(argv[0], "/"):
		return nil, errNotFound(argv[0])
	case err == vfs.ENOENT:
		return nil, errNoFile(argv[0])
	default:
		return nil, &StartError{128, "exec " + argv[0] + ": " + strings.ToLower(err.Error())}
	}
}

// State says what the container waits for, or how it ended.
func (p *Process) State() State {
	if status, exited := p.m.Exited(); exited {
		return State{Exited: true, ExitCode: int32(status.ExitCode()), OOMKilled: p.m.OOMKilled() && status.Signal == kernel.SIGKILL}
	}
	return State{WakeAt: p.m.WakeAt(), Listening: p.m.Netns().Listening(), Work: p.m.Work(), Usage: p.m.Usage(), Busy: p.m.Busy()}
}

// Resume lets the container go on at State's WakeAt or later, until it waits
// again.
func (p *Process) Resume(now time.Time) { p.m.Resume(now) }

// Signal sends a signal to process 1, as a runtime does, and lets the
// container act on it.
func (p *Process) Signal(sig kernel.Signal, now time.Time) {
	if init := p.m.Find(1); init != nil {
		init.Kill(sig, true)
	}
	p.m.Resume(now)
}

// Streams are the container's own: its input is open if Spec.StdinOpen.
func (p *Process) Streams() Streams { return Streams{p.m, p.session} }

// Root is the container's file system.
func (p *Process) Root() *vfs.FS { return p.m.Root() }

// TerminationMessage returns what the container wrote to its termination log.
func (p *Process) TerminationMessage() []byte {
	data, err := p.m.Root().ReadFile(p.terminationLog(), vfs.User{})
	if err != nil {
		return nil
	}
	return data
}

// StopSignal is the signal that ends the image's program, as the image says.
func (p *Process) StopSignal() kernel.Signal { return p.image.StopSignal() }

// Serve sends a request to the HTTP server on a port of the container's Pod. It
// is false if nothing listens there; a server that does not speak HTTP answers
// with status 0.
func (p *Process) Serve(port int32, req kernel.Request, now time.Time) (kernel.Response, bool) {
	p.m.Resume(now)
	return p.m.Netns().Do(port, req, now)
}

// SetMemoryLimit changes Spec.MemoryLimit. Unit: bytes. 0: no limit.
func (p *Process) SetMemoryLimit(bytes int64) { p.m.SetMemoryLimit(bytes) }

// SetCPULimit changes Spec.CPULimit. Unit: thousandths of a core. 0: no limit.
func (p *Process) SetCPULimit(milliCPU int64) { p.m.SetCPULimit(milliCPU) }

// Crashes lists defects of the simulator that ended a program. Tests expect
// none.
func (p *Process) Crashes() []string { return p.m.Crashes() }

// Close ends the container and frees what it holds.
func (p *Process) Close() { p.m.Close() }
