package shell

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// stmts runs statements in order until one leaves.
func (sh *Shell) stmts(list []*syntax.Stmt) {
	for _, st := range list {
		if sh.leaving != stay || sh.breaks > 0 {
			return
		}
		sh.stmt(st)
	}
}

// stmt runs one statement, in the background if it ends with &.
func (sh *Shell) stmt(st *syntax.Stmt) {
	sh.p.Step(1)
	sh.runTraps()
	if sh.leaving != stay || sh.opts.noexec {
		return
	}
	sh.line = st.Pos().Line()
	if st.Background || st.Coprocess {
		sh.background(st)
		return
	}
	if st.Negated {
		sh.tested++
	}
	sh.command(st)
	if st.Negated {
		sh.tested--
		if sh.leaving == stay {
			sh.status = boolStatus(sh.status != 0)
		}
		return
	}
	sh.errexit(st)
}

// errexit ends the shell after a failure under set -e, except where POSIX
// says that the failure is being tested.
func (sh *Shell) errexit(st *syntax.Stmt) {
	if sh.status == 0 || sh.tested > 0 || sh.leaving != stay {
		return
	}
	switch cmd := st.Cmd.(type) {
	case *syntax.BinaryCmd:
		if cmd.Op == syntax.AndStmt || cmd.Op == syntax.OrStmt {
			return // decided by its last command
		}
	case *syntax.IfClause, *syntax.WhileClause, *syntax.ForClause, *syntax.Block, *syntax.CaseClause:
		return // decided by the commands within
	}
	if sh.traps[trapERR] != "" {
		sh.runTrap(sh.traps[trapERR])
	}
	if sh.opts.errexit {
		sh.leaving = leaveShell
	}
}

func boolStatus(ok bool) int {
	if ok {
		return 0
	}
	return 1
}

// command applies a statement's redirections and runs its command.
func (sh *Shell) command(st *syntax.Stmt) {
	call, isCall := st.Cmd.(*syntax.CallExpr)
	if isCall {
		sh.call(st, call)
		return
	}
	// What is inside a compound command is not the last thing that it does.
	sh.exitOnExec = false
	if len(st.Redirs) > 0 {
		undo, ok := sh.redirect(st.Redirs)
		defer undo()
		if !ok {
			sh.status = sh.redirectStatus()
			return
		}
	}
	if st.Cmd == nil {
		if sh.leaving == stay {
			sh.status = 0
		}
		return
	}
	sh.compound(st.Cmd)
}

// compound runs a command that is not a simple one.
func (sh *Shell) compound(cmd syntax.Command) {
	switch cmd := cmd.(type) {
	case *syntax.Block:
		sh.stmts(cmd.Stmts)
	case *syntax.Subshell:
		sh.subshellCommand(cmd)
	case *syntax.BinaryCmd:
		sh.binary(cmd)
	case *syntax.IfClause:
		sh.ifClause(cmd)
	case *syntax.WhileClause:
		sh.whileClause(cmd)
	case *syntax.ForClause:
		sh.forClause(cmd)
	case *syntax.CaseClause:
		sh.caseClause(cmd)
	case *syntax.FuncDecl:
		sh.define(cmd)
	case *syntax.ArithmCmd:
		n := sh.arithmetic(cmd.X)
		sh.statusUnlessLeaving(boolStatus(n != 0))
	case *syntax.LetClause:
		n := 0
		for _, x := range cmd.Exprs {
			n = sh.arithmetic(x)
		}
		sh.statusUnlessLeaving(boolStatus(n != 0))
	case *syntax.TestClause:
		sh.testClause(cmd)
	case *syntax.DeclClause:
		sh.declare(cmd)
	case *syntax.TimeClause:
		sh.timeClause(cmd)
	default:
		sh.fatalf("syntax error: not supported")
	}
}

func (sh *Shell) statusUnlessLeaving(status int) {
	if sh.leaving == stay {
		sh.status = status
	}
}

func (sh *Shell) subshellCommand(cmd *syntax.Subshell) {
	c := sh.fork(sh.p.Args)
	if c == nil {
		return
	}
	status := sh.p.Run(c, sh.inChild(c, func(sub *Shell) {
		sub.tested = sh.tested
		sub.stmts(cmd.Stmts)
	}))
	sh.ended(status)
}

// ended takes the status of a foreground child, and says so if a signal that
// users wonder about has ended it.
func (sh *Shell) ended(s kernel.Status) {
	sh.status = s.ExitCode()
	switch s.Signal {
	case 0, kernel.SIGINT, kernel.SIGPIPE:
	case kernel.SIGSEGV:
		_, _ = sh.p.Stderr().Write([]byte("Segmentation fault\n"))
	case kernel.SIGKILL:
		_, _ = sh.p.Stderr().Write([]byte("Killed\n"))
	case kernel.SIGTERM:
		_, _ = sh.p.Stderr().Write([]byte("Terminated\n"))
	}
}

func (sh *Shell) binary(cmd *syntax.BinaryCmd) {
	switch cmd.Op {
	case syntax.AndStmt, syntax.OrStmt:
		sh.tested++
		sh.stmt(cmd.X)
		sh.tested--
		if sh.leaving == stay && sh.breaks == 0 && (sh.status == 0) == (cmd.Op == syntax.AndStmt) {
			sh.stmt(cmd.Y)
		}
	default:
		sh.pipeline(cmd)
	}
}

// pipedCommand is a command of a pipeline.
type pipedCommand struct {
	stmt *syntax.Stmt
	both bool // |&: standard error goes into the pipe too
}

func pipedCommands(cmd *syntax.BinaryCmd, list []pipedCommand) []pipedCommand {
	both := cmd.Op == syntax.PipeAll
	for i, st := range [...]*syntax.Stmt{cmd.X, cmd.Y} {
		if b, ok := st.Cmd.(*syntax.BinaryCmd); ok && (b.Op == syntax.Pipe || b.Op == syntax.PipeAll) && len(st.Redirs) == 0 && !st.Negated {
			list = pipedCommands(b, list)
			if i == 0 {
				list[len(list)-1].both = both
			}
			continue
		}
		list = append(list, pipedCommand{st, both && i == 0})
	}
	return list
}

// pipeline runs each command in a process of its own and waits for all.
func (sh *Shell) pipeline(cmd *syntax.BinaryCmd) {
	procs, ok := sh.startPiped(pipedCommands(cmd, nil))
	status, failed := 0, 0
	for _, c := range procs {
		s := sh.waitChild(c)
		status = s.ExitCode()
		if status != 0 {
			failed = status
		}
	}
	if !ok {
		return
	}
	sh.status = status
	if sh.opts.pipefail {
		sh.status = failed
	}
	if sh.dialect == Bash && len(procs) > 0 {
		list := make([]string, len(procs))
		for i, c := range procs {
			s, _ := c.Ended()
			list[i] = itoa(s.ExitCode())
		}
		sh.setList("PIPESTATUS", list)
	}
}

func (sh *Shell) startPiped(list []pipedCommand) (procs []*kernel.Proc, ok bool) {
	var in *kernel.Open
	for i, s := range list {
		c := sh.fork(sh.p.Args)
		if c == nil {
			if in != nil {
				in.Release(sh.p)
			}
			return procs, false
		}
		if in != nil {
			_ = c.SetFD(0, in)
			in = nil
		}
		if i < len(list)-1 {
			r, w := sh.p.Pipe()
			_ = c.SetFD(1, w)
			if s.both {
				_ = c.SetFD(2, w)
			}
			in = r
		}
		main := sh.inChild(c, func(sub *Shell) {
			sub.tested = sh.tested
			sub.exitOnExec = true
			sub.stmt(s.stmt)
		})
		procs = append(procs, c)
		sh.p.Machine().Start(c, main)
	}
	return procs, true
}

// waitChild waits for a child in the foreground; traps wait with it.
func (sh *Shell) waitChild(c *kernel.Proc) kernel.Status {
	return sh.p.WaitThrough(c)
}

// background starts a statement as a job.
func (sh *Shell) background(st *syntax.Stmt) {
	c := sh.fork(sh.p.Args)
	if c == nil {
		return
	}
	inner := *st
	inner.Background, inner.Coprocess = false, false
	if sh.opts.monitor {
		c.PGID = c.PID // ^C is not for it
	} else {
		c.Ignore(kernel.SIGINT, kernel.SIGQUIT)
		if null, err := sh.p.OpenFile("/dev/null", readFlag, 0); err == nil {
			_ = c.SetFD(0, null)
		}
	}
	sh.lastJob = c
	sh.addJob(c, &inner)
	sh.p.Machine().Start(c, sh.inChild(c, func(sub *Shell) {
		sub.exitOnExec = true
		sub.stmt(&inner)
	}))
	sh.status = 0
}

// describe prints a statement as jobs shows it.
func describe(st *syntax.Stmt) string {
	var s strings.Builder
	if err := syntax.NewPrinter(syntax.SingleLine(true)).Print(&s, st); err != nil {
		return ""
	}
	return strings.TrimSpace(s.String())
}
