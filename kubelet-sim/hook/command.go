// Package hook is what a kubelet does in a container by itself: the commands of exec probes
// and of hooks, and how a hook that fails is worded.
//
// Invariant: it knows the container's program, and of the Pod's State only the podstate.Hook
// that it begins and ends. It does not wait: the caller looks whether a command has
// ended.
package hook

import (
	"fmt"
	"strings"
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/cri"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// Command is a command of the kubelet that runs in a container.
type Command struct {
	cri.Exec
	argv []string
	// output is all that it printed, stderr its share; both are cut off.
	output, stderr strings.Builder
}

// outputMax bounds what is kept of a command's output. Unit: bytes.
// Source: maxReadLength in k8s.io/kubernetes pkg/probe/exec v1.37.2.
const outputMax = 10 << 10

// Run starts a command beside a container's program. The error is the runtime's, with the ID
// that it gives commands.
func Run(in cri.Process, argv []string, id func() string, now time.Time) (*Command, error) {
	c := &Command{argv: argv}
	exec, err := in.Exec(program.ExecSpec{Command: argv, Output: c.print}, now)
	if err != nil {
		return nil, fmt.Errorf("rpc error: code = Unknown desc = %w", StartError(err, id()))
	}
	c.Exec = exec
	return c, nil
}

// StartError words a failure to start a command as containerd does.
func StartError(err error, id string) error {
	return fmt.Errorf("failed to exec in container: failed to start exec %q: %w", id, err)
}

func (c *Command) print(chunk kernel.Chunk) {
	add := func(b *strings.Builder) { b.Write(chunk.Data[:min(len(chunk.Data), outputMax-b.Len())]) }
	add(&c.output)
	if chunk.Stderr {
		add(&c.stderr)
	}
}

// Output is what is kept of what it has printed.
func (c *Command) Output() string { return c.output.String() }

// TimedOut is what a check says whose command has taken longer than timeout.
func (c *Command) TimedOut(timeout time.Duration) string {
	return fmt.Sprintf("command timed out: %q timed out after %s", strings.Join(c.argv, " "), timeout)
}

// Failure is how the command failed, nil if it succeeded. Source:
// runtimeService.ExecSync in k8s.io/cri-client v0.37.2.
func (c *Command) Failure(code int32) error {
	if code == 0 {
		return nil
	}
	return fmt.Errorf("command '%s' exited with %d: %s", strings.Join(c.argv, " "), code, c.stderr.String())
}
