//go:build unix

package clusters

import (
	"os"
	"os/exec"
	"syscall"
)

// detach gives a command a session of its own: neither Ctrl-C nor the end of the terminal
// reaches it.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// terminate asks a server to end.
func terminate(p *os.Process) { _ = p.Signal(syscall.SIGTERM) } // it may have ended
