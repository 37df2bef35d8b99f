package program

import (
	"fmt"
	"io"
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// Spec is what a container asks to run, after the kubelet expanded $(VAR) and
// resolved the environment.
type Spec struct {
	Image         string   // "busybox:1.36", "registry.k8s.io/pause:3.10"
	Command, Args []string // as in the container; empty: the image's own
	Env           []string // NAME=value in order
	WorkingDir    string   // empty: the image's own
	Hostname      string
	User, Group   int64   // as in the security context; -1: the image's own
	Groups        []int64 // supplemental groups
	ReadOnlyRoot  bool
	// Root is the container's private root with its volumes mounted, made by
	// Catalog.Root. Nil: a new root for the image.
	Root *vfs.FS
	// RunsOn lets an unknown program run until it is stopped, as under
	// restartPolicy Always. Else it succeeds after UnknownRuntime.
	RunsOn         bool
	UnknownRuntime time.Duration
	Seed           uint64 // all randomness comes from it
	// Stdin is read to its end where it is not nil. StdinOpen makes reads
	// wait for Process.Input instead. Neither: an empty standard input.
	Stdin     io.Reader
	StdinOpen bool
	TTY       bool
	// TerminationMessagePath is a file that /dev/termination-log writes, and
	// which exists from the start. Empty: /dev/termination-log.
	TerminationMessagePath string
	// MemoryLimit is what the container may use. Unit: bytes. 0: no limit.
	MemoryLimit int64
	// CPULimit is what the container's servers may use. Unit: thousandths of a core. 0: no
	// limit. Spent is told what they use beside State.Usage, from an instant on. Unit:
	// time of one core. It may be nil.
	CPULimit int64
	Spent    func(at time.Time, cpu time.Duration)
	// Netns holds the ports that the containers of a Pod share; nil: one of its
	// own. Network is what lies beyond the Pod; nil: no DNS, no route. Woken is
	// called where a connection has given the container work, and from when on:
	// Resume must be called then, after the call. It may be nil.
	Netns   *kernel.Netns
	Network Network
	Woken   func(at time.Time)
	// Account is charged with what the processes hold; nil for nobody. What Root and
	// Netns hold is charged to their own.
	Account kernel.Account
	Output  func(Chunk) // called synchronously, in order
	Catalog *Catalog    // what containers share; nil: a new one
	// Main is process 1 in place of the command; nil: the command is.
	Main Main
}

// Main is a program that runs in place of a container's command.
type Main func(c *kernel.Proc, in Container) int

// Container is what a Main finds around it.
type Container struct {
	// Command makes c the process of the container's own command.
	Command func(c *kernel.Proc) (kernel.Main, error)
	// Shell is the simulated shell, which need not be in the image.
	Shell kernel.Main
	// TerminationLog is the path of the termination message.
	TerminationLog string
}

// Chunk is one write to standard output or error.
type Chunk = kernel.Chunk

// Network is what a Pod's programs reach beyond it.
type Network = kernel.Network

// State is what a container is waiting for, or how it ended.
type State struct {
	Exited   bool
	ExitCode int32
	// OOMKilled says that the program went over Spec.MemoryLimit.
	OOMKilled bool
	// WakeAt is when Resume must be called. Zero: the container waits for a
	// signal or for input.
	WakeAt time.Time
	// Listening are the TCP ports that are open in its Pod, in ascending order.
	Listening []int32
	// Work is what the last Resume did. Unit: steps of kernel.Proc.
	Work int
	// Usage is what the container uses.
	Usage kernel.Usage
	// Busy: a program does not wait for anything, and goes on at WakeAt because it has
	// had its steps.
	Busy bool
}

// StartError says that a container's command cannot be started, with
// containerd's and runc's words.
type StartError struct {
	ExitCode int32 // 127: no such program; 126: not executable; 128: else
	Message  string
}

func (e *StartError) Error() string { return e.Message }

func errNotFound(name string) *StartError {
	return &StartError{127, fmt.Sprintf("exec: %q: executable file not found in $PATH", name)}
}

func errNoFile(name string) *StartError {
	return &StartError{127, fmt.Sprintf("exec: %q: stat %s: no such file or directory", name, name)}
}

// What containerd 2 with runc 1.2 puts before the reason.
const (
	whenCreating = "failed to create containerd task: failed to create shim task: OCI runtime create failed: " +
		"runc create failed: unable to start container process: error during container init: "
	whenExecuting = "OCI runtime exec failed: exec failed: unable to start container process: "
)

// during completes a reason with what was being done.
func (e *StartError) during(what string) *StartError {
	return &StartError{e.ExitCode, what + e.Message + ": unknown"}
}
