package lifecycle

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/cri"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// fakeRuntime runs commands that are lists of steps: "echo x", "sleep 5",
// "exit 3", "image", "env NAME", "cat /file", "write /file text", "trap" (SIGTERM then
// does not end it), "once /file" (exit 1 the first time), "hang".
type fakeRuntime struct{}

func (r *fakeRuntime) Pull(image string) error {
	if strings.Contains(image, "non-existent") {
		return errors.New("not found")
	}
	return nil
}

func (r *fakeRuntime) User(_ string, uid, gid int64) (int64, int64, []int64) {
	return max(uid, 0), max(gid, 0), nil
}

func (r *fakeRuntime) Root(_ string, now time.Time) (*vfs.FS, error) {
	return vfs.New("overlay", now), nil
}

func (r *fakeRuntime) Start(spec program.Spec, now time.Time) (cri.Process, error) {
	if len(spec.Command) > 0 && spec.Command[0] == "no-such-program" {
		return nil, &program.StartError{ExitCode: 127, Message: "executable file not found in $PATH"}
	}
	p := &fakeProcess{spec: spec, steps: append(spec.Command[:len(spec.Command):len(spec.Command)], spec.Args...)}
	p.Resume(now)
	return p, nil
}

type fakeProcess struct {
	spec    program.Spec
	steps   []string
	state   program.State
	trapped bool
	closed  bool
}

func (p *fakeProcess) State() program.State { return p.state }
func (p *fakeProcess) Close()               { p.closed = true }

func (p *fakeProcess) Signal(sig kernel.Signal, _ time.Time) {
	if sig == kernel.SIGKILL || !p.trapped {
		p.exit(128 + int32(sig))
	}
}

func (p *fakeProcess) SetMemoryLimit(int64) {}
func (p *fakeProcess) SetCPULimit(int64)    {}

func (p *fakeProcess) StopSignal() kernel.Signal { return kernel.SIGTERM }

func (p *fakeProcess) Serve(int32, kernel.Request, time.Time) (kernel.Response, bool) {
	return kernel.Response{}, false
}

// Exec runs its steps at once.
func (p *fakeProcess) Exec(spec program.ExecSpec, now time.Time) (cri.Exec, error) {
	in := p.spec
	in.Output = spec.Output
	e := &fakeProcess{spec: in, steps: spec.Command}
	e.Resume(now)
	return e, nil
}

func (p *fakeProcess) Exited() (int32, bool) { return p.state.ExitCode, p.state.Exited }

func (p *fakeProcess) exit(code int32) { p.state = program.State{Exited: true, ExitCode: code} }

func (p *fakeProcess) TerminationMessage() []byte {
	data, _ := p.spec.Root.ReadFile("/dev/termination-log", vfs.User{})
	return data
}

func (p *fakeProcess) Resume(now time.Time) {
	if p.state.Exited || now.Before(p.state.WakeAt) {
		return
	}
	p.state = program.State{}
	for len(p.steps) > 0 && !p.state.Exited {
		verb, rest, _ := strings.Cut(p.steps[0], " ")
		p.steps = p.steps[1:]
		if p.step(verb, rest, now) {
			return
		}
	}
	if !p.state.Exited {
		p.exit(0)
	}
}

// step reports whether the program waits.
func (p *fakeProcess) step(verb, rest string, now time.Time) bool {
	say := func(s string) { p.spec.Output(program.Chunk{At: now, Data: []byte(s + "\n")}) }
	switch verb {
	case "echo":
		say(rest)
	case "image":
		say(p.spec.Image)
	case "env":
		for _, v := range p.spec.Env {
			if strings.HasPrefix(v, rest) {
				say(v)
			}
		}
	case "cat":
		data, err := p.spec.Root.ReadFile(rest, vfs.User{Now: now})
		if err != nil {
			say(fmt.Sprintf("cat: %s: %v", rest, err))
			break
		}
		say(string(data))
	case "write":
		name, text, _ := strings.Cut(rest, " ")
		if err := p.spec.Root.WriteFile(name, []byte(text), 0o644, now); err != nil {
			say(err.Error())
		}
	case "once":
		if _, err := p.spec.Root.Stat(rest, vfs.User{Now: now}); err != nil {
			_ = p.spec.Root.WriteFile(rest, nil, 0o644, now)
			p.exit(1)
		}
	case "test":
		if _, err := p.spec.Root.Stat(rest, vfs.User{Now: now}); err != nil {
			say("no " + rest)
			p.exit(1)
		}
	case "trap":
		p.trapped = true
	case "sleep":
		seconds, _ := strconv.Atoi(rest)
		p.state.WakeAt = now.Add(time.Duration(seconds) * time.Second)
		return true
	case "hang":
		p.steps = []string{"hang"}
		return true
	case "exit":
		code, _ := strconv.Atoi(rest)
		p.exit(int32(code))
	}
	return false
}
