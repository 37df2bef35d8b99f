package shell

import (
	"errors"
	"io"
	"io/fs"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/applet"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// builtin is a command that runs in the shell itself and returns its status.
type builtin func(sh *Shell, args []string) int

// builtins finds a builtin command of a dialect; nil if there is none.
func builtins(name string, d Dialect) builtin {
	switch name {
	case ":", "true":
		return func(*Shell, []string) int { return 0 }
	case "false":
		return func(*Shell, []string) int { return 1 }
	case "echo", "printf", "test", "[":
		return (*Shell).appletBuiltin
	case "cd":
		return cdBuiltin
	case "pwd":
		return pwdBuiltin
	case ".":
		return sourceBuiltin
	case "eval":
		return evalBuiltin
	case "exec":
		return execBuiltin
	case "exit":
		return exitBuiltin
	case "return":
		return returnBuiltin
	case "break", "continue":
		return breakBuiltin
	case "shift":
		return shiftBuiltin
	case "set":
		return setBuiltin
	case "unset":
		return unsetBuiltin
	case "export", "readonly", "local":
		return declareBuiltin
	case "read":
		return readBuiltin
	case "trap":
		return trapBuiltin
	case "wait":
		return waitBuiltin
	case "jobs":
		return jobsBuiltin
	case "fg", "bg":
		return fgBuiltin
	case "kill":
		return killBuiltin
	case "type":
		return typeBuiltin
	case "command":
		return commandBuiltin
	case "alias":
		return aliasBuiltin
	case "unalias":
		return unaliasBuiltin
	case "umask":
		return umaskBuiltin
	case "ulimit":
		return ulimitBuiltin
	case "times":
		return timesBuiltin
	case "getopts":
		return getoptsBuiltin
	case "hash":
		return func(*Shell, []string) int { return 0 }
	}
	return moreBuiltins(name, d)
}

// moreBuiltins are those that not every shell has.
func moreBuiltins(name string, d Dialect) builtin {
	if d == Dash {
		return nil
	}
	switch name {
	case "source":
		return sourceBuiltin
	case "let":
		return letBuiltin
	case "[[":
		return (*Shell).appletBuiltin
	}
	if d != Bash {
		return nil
	}
	switch name {
	case "builtin":
		return builtinBuiltin
	case "shopt":
		return shoptBuiltin
	case "mapfile", "readarray":
		return mapfileBuiltin
	case "pushd", "popd", "dirs":
		return dirsBuiltin
	case "declare", "typeset":
		return declareBuiltin
	case "disown", "enable", "history", "bind", "complete", "compgen", "suspend", "logout":
		return func(*Shell, []string) int { return 0 }
	}
	return nil
}

// special tells whether POSIX calls a builtin special: its errors end the
// shell and its assignments stay.
func special(name string) bool {
	switch name {
	case ":", ".", "break", "continue", "eval", "exec", "exit", "export", "readonly", "return", "set", "shift", "times", "trap", "unset":
		return true
	}
	return false
}

// appletBuiltin runs an applet in the shell's own process.
func (sh *Shell) appletBuiltin(args []string) int {
	if sh.dialect == Bash && args[0] == "printf" && len(args) > 3 && args[1] == "-v" {
		return sh.printfTo(args[2], args[3:])
	}
	return sh.applet(args, nil)
}

// printfTo is bash's printf -v, which prints into a variable.
func (sh *Shell) printfTo(name string, args []string) int {
	if !syntax.ValidName(name) {
		sh.builtinErrorf("printf", "`%s': not a valid identifier", name)
		return 2
	}
	var text heldOutput
	status := sh.applet(append([]string{"printf"}, args...), &text)
	if err := sh.assign(name, str(string(text))); err != nil {
		return 1
	}
	return status
}

// heldOutput is what a variable may hold of a builtin's output.
type heldOutput []byte

// Write implements io.Writer.
func (h *heldOutput) Write(b []byte) (int, error) {
	if len(*h)+len(b) > valueMax {
		return 0, errors.New("out of memory")
	}
	*h = append(*h, b...)
	return len(b), nil
}

func (sh *Shell) applet(args []string, output io.Writer) int {
	style := applet.Busybox
	if sh.dialect != Ash {
		style = applet.GNU
	}
	label := sh.name
	if sh.script || sh.dialect != Ash {
		label = ""
	}
	return applet.Builtin(sh.p, args, style, applet.Shell{
		Label: label, DashEcho: sh.dialect == Dash, Output: output,
		Complain: func(name, text string) { sh.complainApplet(name, text) },
	})
}

// complainApplet prints what an applet says as the shell's builtin says it.
func (sh *Shell) complainApplet(name, text string) {
	if sh.dialect == Ash && !sh.script {
		sh.errorf("%s", text)
		return
	}
	sh.builtinErrorf(name, "%s", text)
}

func cdBuiltin(sh *Shell, args []string) int {
	args = args[1:]
	physical := false
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		physical = args[0] == "-P"
		args = args[1:]
	}
	dir := sh.get("HOME")
	if len(args) > 0 {
		dir = args[0]
	} else if dir == "" {
		sh.builtinErrorf("cd", "HOME not set")
		return 1
	}
	show := dir == "-"
	if show {
		dir = sh.get("OLDPWD")
	}
	return sh.changeDir(dir, physical, show)
}

func (sh *Shell) changeDir(dir string, physical, show bool) int {
	to := vfs.Clean(sh.p.Abs(dir))
	in, err := sh.p.FS().Stat(to, sh.p.User())
	if err == nil && !in.IsDir() {
		err = vfs.ENOTDIR
	}
	if err == nil {
		err = sh.p.FS().Access(to, 1, sh.p.User())
	}
	if err != nil {
		switch sh.dialect {
		case Bash:
			sh.builtinErrorf("cd", "%s: %v", dir, err)
			return 1
		case Dash:
			sh.builtinErrorf("cd", "can't cd to %s", dir)
		default:
			sh.builtinErrorf("cd", "can't cd to %s: %v", dir, err)
		}
		return 2
	}
	if physical {
		if real, err := sh.p.FS().Realpath(to, sh.p.User()); err == nil {
			to = real
		}
	}
	sh.set("OLDPWD", sh.p.Cwd)
	sh.p.Cwd = to
	sh.set("PWD", to)
	if show {
		sh.outf("%s\n", to)
	}
	return 0
}

func pwdBuiltin(sh *Shell, args []string) int {
	dir := sh.p.Cwd
	if len(args) > 1 && args[1] == "-P" {
		if real, err := sh.p.FS().Realpath(dir, sh.p.User()); err == nil {
			dir = real
		}
	}
	sh.outf("%s\n", dir)
	return 0
}

func sourceBuiltin(sh *Shell, args []string) int {
	if len(args) < 2 {
		if sh.dialect == Bash {
			sh.builtinErrorf(args[0], "filename argument required")
			return 2
		}
		sh.builtinErrorf(args[0], "filename argument required")
		sh.leaving = leaveShell
		return 2
	}
	name := args[1]
	file := name
	if !hasSlash(name) {
		if found, err := sh.findSource(name); err == nil {
			file = found
		}
	}
	data, err := sh.p.ReadFile(file, scriptMax+1)
	if err != nil {
		return sh.cannotSource(args[0], name, err)
	}
	if !sh.enterCall() {
		return 2
	}
	params, held := sh.params, sh.paramsHeld
	if len(args) > 2 {
		sh.paramsHeld = 0
		sh.setParams(args[2:])
	}
	script := sh.script
	sh.status = 0
	sh.inFunction++
	sh.runScript(string(data), false)
	sh.inFunction--
	sh.leaveCall()
	sh.script = script
	if len(args) > 2 {
		sh.setParams(nil)
		sh.params, sh.paramsHeld = params, held
	}
	if sh.leaving == leaveFunction {
		sh.leaving = stay
	}
	return sh.status
}

func (sh *Shell) findSource(name string) (string, error) {
	for dir := range strings.SplitSeq(sh.get("PATH"), ":") {
		file := vfs.Join(dir, name)
		if in, err := sh.p.Stat(file); err == nil && !in.IsDir() {
			return file, nil
		}
	}
	return "", vfs.ENOENT
}

func (sh *Shell) cannotSource(builtin, name string, err error) int {
	switch sh.dialect {
	case Bash:
		sh.errorf("%s: %v", name, err)
		return 1
	case Dash:
		text := err.Error()
		if errors.Is(err, fs.ErrNotExist) {
			text = "No such file"
		}
		sh.builtinErrorf(builtin, "cannot open %s: %s", name, text)
	default:
		sh.builtinErrorf(builtin, "can't open '%s': %v", name, err)
	}
	if !sh.interactive {
		sh.status, sh.leaving = 2, leaveShell
	}
	return 2
}

func evalBuiltin(sh *Shell, args []string) int {
	if len(args) > 1 && args[1] == "--" {
		args = args[1:]
	}
	sh.status = 0
	sh.eval(strings.Join(args[1:], " "))
	return sh.status
}

// eval runs commands in a text. A break leaves it too.
func (sh *Shell) eval(text string) {
	if !sh.enterCall() {
		return
	}
	defer sh.leaveCall()
	defer sh.parsed(text)()
	if len(text) <= cachedMax {
		sh.p.Step(1 + len(text)/4)
	}
	s := sh.parse(text)
	sh.p.StepBytes(len(text))
	sh.stmts(s.stmts)
	if s.err != nil && sh.leaving == stay {
		sh.syntaxFailure(s.err, text)
	}
}

func execBuiltin(sh *Shell, args []string) int {
	args = args[1:]
	name := ""
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		if args[0] == "-a" && len(args) > 1 {
			name, args = args[1], args[1:]
		}
		args = args[1:]
	}
	if len(args) == 0 {
		return 0
	}
	file, err := sh.p.LookPath(args[0], sh.get("PATH"))
	if err == nil {
		if name != "" {
			args = append([]string{name}, args[1:]...)
		}
		sh.replace(file, args)
		sh.leaving = leaveShell
		return sh.status
	}
	status := sh.cannotRun(args[0], err)
	if !sh.interactive {
		sh.status, sh.leaving = status, leaveShell
	}
	return status
}
