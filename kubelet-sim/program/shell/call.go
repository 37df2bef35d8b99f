package shell

import (
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// call runs a simple command: assignments, a function, a builtin or a program.
func (sh *Shell) call(st *syntax.Stmt, cmd *syntax.CallExpr) {
	inPlace := sh.exitOnExec
	sh.exitOnExec = false
	words := cmd.Args
	if sh.opts.expandAliases && len(sh.alias) > 0 {
		words = sh.expandAlias(words)
	}
	sh.didSubst = false
	args, ok := sh.fields(words...)
	if !ok {
		return
	}
	if len(args) == 0 {
		sh.assignOnly(st, cmd)
		return
	}
	undo, ok := sh.redirect(st.Redirs)
	keep := false
	defer func() {
		if !keep {
			undo()
		}
	}()
	if !ok {
		sh.status = sh.redirectStatus()
		if special(args[0]) && sh.dialect != Bash && !sh.interactive {
			sh.leaving = leaveShell
		}
		return
	}
	restore := sh.assignFor(cmd.Assigns)
	defer func() { restore() }()
	if sh.leaving != stay {
		return
	}
	sh.trace(cmd.Assigns, args)
	if fn := sh.funcs[args[0]]; fn != nil {
		sh.function(fn, args)
		return
	}
	if b := builtins(args[0], sh.dialect); b != nil {
		keep = args[0] == "exec" && len(args) == 1
		if special(args[0]) && sh.dialect != Bash {
			restore = func() {}
		}
		status := b(sh, args)
		sh.statusUnlessLeaving(status)
		return
	}
	sh.program(args, inPlace && sh.mayReplace())
}

// mayReplace tells whether the shell may run its last command in place of
// itself: nothing is left to do for it afterwards.
func (sh *Shell) mayReplace() bool {
	return len(sh.traps) == 0 && !sh.interactive && len(sh.running()) == 0 && sh.tested == 0
}

func (sh *Shell) expandAlias(words []*syntax.Word) []*syntax.Word {
	if len(words) == 0 {
		return words
	}
	text, ok := sh.alias[words[0].Lit()]
	if !ok {
		return words
	}
	s := sh.parse(text)
	if s.err != nil || len(s.stmts) != 1 {
		return words
	}
	if c, ok := s.stmts[0].Cmd.(*syntax.CallExpr); ok && len(c.Assigns) == 0 {
		return append(c.Args[:len(c.Args):len(c.Args)], words[1:]...)
	}
	return words
}

// assignOnly runs a command without a name: its assignments stay.
func (sh *Shell) assignOnly(st *syntax.Stmt, cmd *syntax.CallExpr) {
	sh.substituted = 0
	for _, a := range cmd.Assigns {
		if !sh.assignment(a, "") {
			return
		}
	}
	undo, ok := sh.redirect(st.Redirs)
	undo()
	if sh.leaving != stay {
		return
	}
	switch {
	case !ok:
		sh.status = sh.redirectStatus()
	case sh.didSubst:
		sh.status = sh.substituted
	default:
		sh.status = 0
	}
	sh.trace(cmd.Assigns, nil)
}

// assignFor makes the assignments before a command, which hold while it runs.
func (sh *Shell) assignFor(list []*syntax.Assign) (restore func()) {
	if len(list) == 0 {
		return func() {}
	}
	type saved struct {
		name string
		v    expand.Variable
	}
	var before []saved
	for _, a := range list {
		v, _ := sh.vars.find(a.Name.Value)
		before = append(before, saved{a.Name.Value, v})
		if !sh.assignment(a, "") {
			break
		}
		now, _ := sh.vars.find(a.Name.Value)
		now.Exported = true
		_ = sh.assign(a.Name.Value, now)
	}
	return func() {
		for _, s := range before {
			_ = sh.assign(s.name, s.v)
		}
	}
}

// function calls a shell function.
func (sh *Shell) function(fn *syntax.FuncDecl, args []string) {
	if !sh.enterCall() {
		return
	}
	params, held, vars, loops := sh.params, sh.paramsHeld, sh.vars, sh.loops
	sh.paramsHeld = 0
	sh.setParams(args[1:])
	sh.loops = 0
	sh.vars = &scope{outer: vars}
	sh.inFunction++
	sh.status = 0
	sh.stmt(fn.Body)
	sh.inFunction--
	sh.leaveCall()
	for _, v := range sh.vars.values {
		sh.hold(-size(v))
	}
	sh.setParams(nil)
	sh.params, sh.paramsHeld, sh.vars, sh.loops = params, held, vars, loops
	if sh.leaving == leaveFunction {
		sh.leaving = stay
	}
}

// enterCall counts nested calls. A real shell's stack would overflow.
func (sh *Shell) enterCall() bool {
	if sh.calls >= callsMax {
		sh.p.Machine().Crash(sh.p, kernel.SIGSEGV)
	}
	sh.p.Reserve(callCost)
	sh.calls++
	return true
}

// setParams replaces the positional parameters, and accounts for them.
func (sh *Shell) setParams(list []string) {
	size := kernel.SizeOf(list)
	sh.p.Reserve(size - sh.paramsHeld)
	sh.params, sh.paramsHeld = list, size
}

func (sh *Shell) leaveCall() {
	sh.calls--
	sh.p.Reserve(-callCost)
}

// callCost is what a nested call takes on the stack of its goroutine, parsedCost what a
// byte of a script takes when it is parsed. Unit: bytes.
const (
	callCost   = 2 << 10
	parsedCost = 24
)

// program runs a program file as a child, or in place of the shell.
func (sh *Shell) program(args []string, inPlace bool) {
	file, err := sh.p.LookPath(args[0], sh.get("PATH"))
	if err != nil {
		sh.status = sh.cannotRun(args[0], err)
		return
	}
	if inPlace {
		sh.replace(file, args)
		return
	}
	c := sh.fork(args)
	if c == nil {
		return
	}
	c.Env = sh.environment()
	main, err := sh.load(c, file, args)
	if err != nil {
		c.Abandon(127)
		sh.status = sh.cannotRun(args[0], err)
		return
	}
	sh.ended(sh.p.Run(c, main))
}

// load is Proc.Load, but runs a text file without an interpreter as a script.
func (sh *Shell) load(c *kernel.Proc, file string, args []string) (kernel.Main, error) {
	main, err := c.Load(file, args)
	if err != kernel.ENOEXEC {
		return main, err
	}
	data, err := c.ReadFile(file, 256)
	if err != nil {
		return nil, err
	}
	if strings.IndexByte(string(data[:min(len(data), 256)]), 0) >= 0 {
		return nil, kernel.ENOEXEC
	}
	c.Args = append([]string{sh.p.Args[0], file}, args[1:]...)
	d, cache := sh.dialect, sh.cache
	return func(c *kernel.Proc) int { return Main(c, d, cache) }, nil
}

// replace runs a program in the shell's own process.
func (sh *Shell) replace(file string, args []string) {
	env := sh.environment()
	main, err := sh.load(sh.p, file, args)
	if err != nil {
		sh.status = sh.cannotRun(args[0], err)
		return
	}
	sh.p.Env = env // Args are load's: those of an interpreter, if it is a script
	for sig := range sh.traps {
		if sh.traps[sig] != "" {
			sh.p.Default(sig)
		}
	}
	sh.traps = nil
	sh.p.Exit(main(sh.p))
}

// trace prints a command under set -x.
func (sh *Shell) trace(assigns []*syntax.Assign, args []string) {
	if !sh.opts.xtrace {
		return
	}
	var parts []string
	for _, a := range assigns {
		parts = append(parts, a.Name.Value+"="+quote(sh.get(a.Name.Value)))
	}
	for _, a := range args {
		sh.large(len(a))
		parts = append(parts, quote(a))
	}
	_, _ = sh.p.Stderr().Write([]byte(sh.get("PS4") + strings.Join(parts, " ") + "\n"))
}

// quote quotes a word as set and set -x print it.
func quote(s string) string {
	if s != "" && !strings.ContainsAny(s, " \t\n\"'\\$`&|;<>()*?[]{}~#!") && !syntax.IsKeyword(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'"'"'`) + "'"
}
