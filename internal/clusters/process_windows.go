package clusters

import (
	"os"
	"os/exec"
	"syscall"
)

// detachedProcess is DETACHED_PROCESS of CreateProcess: no console.
const detachedProcess = 0x00000008

// detach lets a command live on without our console.
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP | detachedProcess}
}

// terminate ends a server: a process without a console gets no signal. What was
// acknowledged is in the store.
func terminate(p *os.Process) { _ = p.Kill() } // it may have ended
