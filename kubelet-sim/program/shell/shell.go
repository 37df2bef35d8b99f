package shell

import (
	"maps"
	"slices"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// Dialect is the shell that is imitated: its texts and exit codes.
type Dialect int

// The dialects.
const (
	Ash Dialect = iota
	Dash
	Bash
)

// The bounds of one shell.
const (
	callsMax    = 500      // nested functions, sourced files, evals
	valueMax    = 1 << 20  // bytes of one variable or substitution
	variableMax = 16 << 20 // bytes of all variables
)

// leave says why statements are being left.
type leave int

const (
	stay leave = iota
	leaveLoop
	leaveFunction
	leaveShell
)

// Shell is the state of one shell process.
type Shell struct {
	p       *kernel.Proc
	dialect Dialect
	cache   *Cache

	name   string // $0
	script bool   // reads a file: errors give the line
	line   uint
	params []string
	// paramsHeld is what was accounted for them. Unit: bytes.
	paramsHeld int64
	vars       *scope
	held       int64 // bytes in vars
	funcs      map[string]*syntax.FuncDecl
	alias      map[string]string
	opts       options

	status       int // $?
	substituted  int // exit code of the last command substitution
	didSubst     bool
	leaving      leave
	loops        int // enclosing loops
	breaks       int // loops still to leave
	continues    bool
	calls        int
	inFunction   int
	tested       int // >0: set -e does not apply
	traps        map[kernel.Signal]string
	inTrap       bool
	jobs         []*job
	lastJob      *kernel.Proc
	getoptsAt    int
	dirs         []string
	inSubshell   bool
	interactive  bool
	interrupted  bool    // by ^C, since the last prompt
	editor       *editor // of an interactive shell at a terminal
	randomState  uint64
	randomSeeded bool
	drawn        int64 // bytes of variables in the present expansion
	exitOnExec   bool  // the statement is the last of sh -c: run it in place
}

// options are those of set.
type options struct {
	errexit, nounset, xtrace, noglob, pipefail, allexport, noexec, verbose, noclobber bool
	// shopt
	globstar, dotglob, nullglob, nocaseglob, extglob, nocasematch, expandAliases bool
	command, stdin, monitor                                                      bool
}

func newShell(p *kernel.Proc, d Dialect, cache *Cache) *Shell {
	sh := &Shell{p: p, dialect: d, cache: cache, name: p.Args[0], vars: &scope{}}
	sh.importEnv()
	return sh
}

// importEnv makes variables of the environment.
func (sh *Shell) importEnv() {
	sh.vars.values = make(map[string]expand.Variable, len(sh.p.Env)+4)
	for _, e := range sh.p.Env {
		for i := range len(e) {
			if e[i] == '=' {
				sh.vars.values[e[:i]] = expand.Variable{Set: true, Exported: true, Kind: expand.String, Str: e[i+1:]}
				break
			}
		}
	}
	str := func(name, value string) {
		v := sh.vars.values[name]
		v.Set, v.Kind, v.Str = true, expand.String, value
		sh.vars.values[name] = v
	}
	str("PWD", sh.p.Cwd)
	str("IFS", " \t\n")
	str("OPTIND", "1")
	str("PS4", "+ ")
	if _, ok := sh.vars.values["PATH"]; !ok {
		str("PATH", "/sbin:/usr/sbin:/bin:/usr/bin")
	}
	if sh.dialect == Bash {
		str("BASH", "/bin/bash")
		str("BASH_VERSION", "5.2.37(1)-release")
		str("HOSTNAME", sh.p.Hostname())
	}
}

// tableCost is what a variable, function or alias takes in the copy of a table. Unit:
// bytes.
const tableCost = 160

// subshell returns a copy of sh for a child process of it.
func (sh *Shell) subshell(c *kernel.Proc) *Shell {
	sh.p.Step(1 + (sh.vars.count()+len(sh.funcs)+len(sh.alias))/4 + len(sh.params)/16)
	sub := *sh
	sub.p = c
	sub.vars = sh.vars.copied()
	sub.funcs = maps.Clone(sh.funcs)
	sub.alias = maps.Clone(sh.alias)
	sub.params, sub.paramsHeld = slices.Clone(sh.params), 0
	c.Reserve(max(sh.held, 0) + tableCost*int64(sh.vars.count()+len(sh.funcs)+len(sh.alias)) + kernel.SizeOf(sh.params))
	sub.jobs, sub.traps, sub.leaving = nil, nil, stay
	sub.loops, sub.breaks, sub.inTrap = 0, 0, false
	sub.inSubshell, sub.interactive, sub.exitOnExec, sub.editor = true, false, false, nil
	for sig, command := range sh.traps {
		if command == "" && sig != 0 {
			if sub.traps == nil {
				sub.traps = make(map[kernel.Signal]string)
			}
			sub.traps[sig] = ""
		}
	}
	return &sub
}

// run evaluates statements in a child process of sh and returns its exit code.
func (sh *Shell) inChild(child *kernel.Proc, do func(sub *Shell)) kernel.Main {
	sub := sh.subshell(child)
	return func(*kernel.Proc) int {
		do(sub)
		sub.exitTrap()
		return sub.status
	}
}

// fork returns a child process, or reports that there are too many.
func (sh *Shell) fork(args []string) *kernel.Proc {
	c, ok := sh.p.Fork(args)
	if !ok {
		sh.cannotFork()
		return nil
	}
	return c
}

func (sh *Shell) cannotFork() {
	sh.errorf("can't fork: %v", kernel.EAGAIN)
	sh.status = 2
	sh.leaving = leaveShell
}
