package shell

import (
	"fmt"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// job is a command that was started with &.
type job struct {
	n    int
	proc *kernel.Proc
	text string
	done bool // its end was reported by wait or jobs
}

// endedJobsMax bounds the ended jobs that a shell remembers for wait, as
// CHILD_MAX does.
const endedJobsMax = 256

func (sh *Shell) addJob(c *kernel.Proc, st *syntax.Stmt) {
	n := 1
	keep := sh.jobs[:0]
	spare := len(sh.jobs) - endedJobsMax
	for _, j := range sh.jobs {
		if _, ended := j.proc.Ended(); ended && spare > 0 {
			spare--
			continue
		}
		if !j.done {
			keep = append(keep, j)
			n = max(n, j.n+1)
		}
	}
	sh.weigh(st)
	sh.jobs = append(keep, &job{n: n, proc: c, text: describe(st)})
	if sh.interactive {
		_, _ = sh.p.Stderr().Write([]byte("[" + itoa(n) + "] " + itoa(c.PID) + "\n"))
	}
}

// running are the jobs that have not ended.
func (sh *Shell) running() []*job {
	var list []*job
	for _, j := range sh.jobs {
		if _, ended := j.proc.Ended(); !ended {
			list = append(list, j)
		}
	}
	return list
}

// findJob finds a job by PID, %N, %% or %+.
func (sh *Shell) findJob(id string) *job {
	if spec, ok := strings.CutPrefix(id, "%"); ok {
		if spec == "" || spec == "%" || spec == "+" {
			if len(sh.jobs) > 0 {
				return sh.jobs[len(sh.jobs)-1]
			}
			return nil
		}
		n, _ := strconv.Atoi(spec)
		for _, j := range sh.jobs {
			if j.n == n || n == 0 && strings.HasPrefix(j.text, spec) {
				return j
			}
		}
		return nil
	}
	pid, _ := strconv.Atoi(id)
	for _, j := range sh.jobs {
		if j.proc.PID == pid {
			return j
		}
	}
	return nil
}

// wait waits for a child. A trap that a signal sets off ends the wait with 128
// and the signal's number.
func (sh *Shell) wait(c *kernel.Proc) (status int, interrupted bool) {
	for {
		s, ok := sh.p.Wait(c)
		if ok {
			return s.ExitCode(), false
		}
		if sh.inTrap {
			return sh.waitChild(c).ExitCode(), false
		}
		sig := sh.p.Pending()
		if command := sh.traps[sig]; command != "" {
			sh.status = 128 + int(sig)
			sh.runTrap(command)
			return 128 + int(sig), true
		}
		if sh.interactive && sig == kernel.SIGINT {
			sh.leaving, sh.interrupted = leaveFunction, true
			return 130, true
		}
	}
}

func waitBuiltin(sh *Shell, args []string) int {
	args = args[1:]
	if len(args) > 0 && args[0] == "-n" {
		return sh.waitAny()
	}
	if len(args) == 0 {
		for _, j := range sh.jobs {
			if status, interrupted := sh.wait(j.proc); interrupted {
				return sh.afterTrap(status)
			}
			j.done = true
		}
		sh.jobs = nil
		return 0
	}
	status := 0
	for _, id := range args {
		sh.p.Step(1)
		j := sh.findJob(id)
		if j == nil {
			status = 127
			if sh.dialect == Bash {
				sh.builtinErrorf("wait", "pid %s is not a child of this shell", id)
			}
			continue
		}
		var interrupted bool
		status, interrupted = sh.wait(j.proc)
		if interrupted {
			return sh.afterTrap(status)
		}
		j.done = true
	}
	return status
}

// afterTrap is the status of a wait that a trap has ended.
func (sh *Shell) afterTrap(status int) int {
	if sh.leaving != stay {
		return sh.status
	}
	return status
}

func (sh *Shell) waitAny() int {
	for {
		for _, j := range sh.jobs {
			if s, ended := j.proc.Ended(); ended && !j.done {
				j.done = true
				return s.ExitCode()
			}
		}
		list := sh.running()
		if len(list) == 0 {
			return 127
		}
		procs := make([]*kernel.Proc, len(list))
		for i, j := range list {
			procs[i] = j.proc
		}
		if !sh.p.WaitAny(procs) {
			sig := sh.p.Pending()
			if command := sh.traps[sig]; command != "" && !sh.inTrap {
				sh.runTrap(command)
				return sh.afterTrap(128 + int(sig))
			}
		}
	}
}

func jobsBuiltin(sh *Shell, args []string) int {
	for _, j := range sh.jobs {
		_, ended := j.proc.Ended()
		if ended && j.done {
			continue
		}
		j.done = ended
		switch {
		case len(args) > 1 && args[1] == "-p":
			sh.outf("%d\n", j.proc.PID)
		case len(args) > 1 && args[1] == "-l":
			sh.outf("[%d]+ %d %-23s %s\n", j.n, j.proc.PID, sh.jobState(j), j.text)
		default:
			sh.outf("%s\n", sh.describeJob(j))
		}
	}
	return 0
}

// describeJob is a job's line in the list of jobs.
func (sh *Shell) describeJob(j *job) string {
	return fmt.Sprintf("[%d]+  %-26s %s", j.n, sh.jobState(j), j.text)
}

func (sh *Shell) jobState(j *job) string {
	s, ended := j.proc.Ended()
	switch {
	case !ended:
		return "Running"
	case s.Signal == kernel.SIGTERM:
		return "Terminated"
	case s.Signal == kernel.SIGKILL:
		return "Killed"
	case s.Code != 0 && sh.dialect == Bash:
		return "Exit " + itoa(s.Code)
	case s.Code != 0:
		return "Done(" + itoa(s.Code) + ")"
	}
	return "Done"
}

func fgBuiltin(sh *Shell, args []string) int {
	id := "%%"
	if len(args) > 1 {
		id = args[1]
	}
	j := sh.findJob(id)
	if j == nil {
		sh.builtinErrorf(args[0], "no current job")
		return 1
	}
	if args[0] == "bg" {
		return 0
	}
	sh.outf("%s\n", j.text)
	sh.p.Foreground(j.proc)
	status, _ := sh.wait(j.proc)
	sh.p.Foreground(nil)
	j.done = true
	return status
}

// killBuiltin adds job names to the kill program.
func killBuiltin(sh *Shell, args []string) int {
	resolved := append([]string{}, args...)
	for i, a := range resolved {
		if i > 0 && strings.HasPrefix(a, "%") {
			j := sh.findJob(a)
			if j == nil {
				sh.builtinErrorf("kill", "%s: no such job", a)
				return 1
			}
			resolved[i] = itoa(j.proc.PID)
		}
	}
	status := sh.applet(resolved, nil)
	sh.runTraps()
	return status
}
