package script

import (
	"io"
	"strings"
	"time"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// Effects are what a script does to its Pod beyond what a program can do. They
// change only while the program is resumed.
type Effects struct {
	// Ready says whether the container is ready; nil if the script does not say.
	Ready *bool
	// Usage is what the container uses; nil if the script does not say.
	Usage *v1alpha1.Usage
	// steps counts the usage steps: the last is in force.
	steps int
	// Evict is the message with which the node evicts the Pod; nil if it does not.
	Evict *string
}

// evictMessage is what a kubelet says. Source: nodeLowMessageFmt in
// k8s.io/kubernetes pkg/kubelet/eviction v1.37.2.
const evictMessage = "The node was low on resource: memory. "

// Main returns the program that takes the play's steps, and its effects. It calls
// onStep, if that is set, before each step.
func (p *Play) Main(onStep func(time.Time, *v1alpha1.Step)) (program.Main, *Effects) {
	e := &Effects{}
	for i := range p.Steps {
		if p.Steps[i].Ready != nil {
			e.Ready = new(bool)
		}
	}
	return func(c *kernel.Proc, in program.Container) int {
		c.Handle(kernel.SIGTERM)
		for i := range p.Steps {
			c.Step(1)
			if onStep != nil {
				onStep(c.Now(), &p.Steps[i])
			}
			if code, ended := take(&p.Steps[i], c, in, e); ended {
				return code
			}
			if c.Interrupted() {
				return terminated
			}
		}
		return 0
	}, e
}

// terminated is the exit code of a program that SIGTERM has ended.
const terminated = 128 + int(kernel.SIGTERM)

// take takes one step, and returns how the container ends if it ends by it.
func take(s *v1alpha1.Step, c *kernel.Proc, in program.Container, e *Effects) (code int, ended bool) {
	switch {
	case s.Log != nil:
		write(c.Stdout(), *s.Log)
	case s.Stderr != nil:
		write(c.Stderr(), *s.Stderr)
	case s.Wait != nil:
		c.Sleep(duration(*s.Wait))
	case s.Ready != nil:
		e.Ready = s.Ready
	case s.Usage != nil:
		return use(s.Usage, c, e)
	case s.TerminationMessage != nil:
		// A container that cannot write its message has none.
		_ = c.Machine().Root().WriteFile(in.TerminationLog, []byte(*s.TerminationMessage), 0o666, c.Now())
	case s.Shell != nil:
		return shell(*s.Shell, c, in)
	case s.Exit != nil:
		return int(*s.Exit), true
	case s.Signal != nil:
		if signal, ok := kernel.ParseSignal(string(*s.Signal)); ok {
			c.Machine().Crash(c, signal)
		}
	case s.OOM != nil:
		c.Machine().KillForMemory(c)
	case s.Evict != nil:
		message := s.Evict.Message
		if message == "" {
			message = evictMessage
		}
		e.Evict = &message
		c.Pause()
		return terminated, true
	case s.Hang != nil:
		if s.Hang.IgnoreSIGTERM {
			c.Ignore(kernel.SIGTERM)
			c.Sleep(-1)
		}
		c.Pause()
		return terminated, true
	case s.Run != nil:
		return run(c, in), true
	}
	return 0, false
}

func write(w io.Writer, text string) {
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	_, _ = w.Write([]byte(text)) // nobody is left to read it
}

// run makes c the process of the container's own command.
func run(c *kernel.Proc, in program.Container) int {
	c.Default(kernel.SIGTERM)
	main, err := in.Command(c)
	if err != nil {
		write(c.Stderr(), err.Error())
		return 127
	}
	return main(c)
}

// shell runs a script of the shell as a child, which SIGTERM reaches too.
func shell(text string, c *kernel.Proc, in program.Container) (code int, ended bool) {
	child, ok := c.Fork([]string{"sh", "-c", text})
	if !ok {
		write(c.Stderr(), "sh: "+kernel.EAGAIN.Error())
		return 2, true
	}
	c.Machine().Start(child, in.Shell)
	status, over := c.Wait(child)
	if !over {
		child.Kill(c.Pending(), false)
		status = c.WaitThrough(child)
		return status.ExitCode(), true
	}
	return status.ExitCode(), status.ExitCode() != 0
}
