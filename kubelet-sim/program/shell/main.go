package shell

import (
	"errors"
	"io"
	"io/fs"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// Main runs p as a shell with the arguments p.Args: -c COMMAND, a script file,
// or commands from standard input.
func Main(p *kernel.Proc, d Dialect, cache *Cache) int {
	sh := newShell(p, d, cache)
	_ = sh.assign("\x00pid", str(itoa(p.PID)))
	rest, command, ok := sh.arguments(p.Args[1:])
	if !ok {
		return 2
	}
	switch {
	case command:
		sh.runCommand(rest)
	case len(rest) > 0 && !sh.opts.stdin:
		sh.runFile(rest)
	default:
		sh.params = rest
		sh.runInput()
	}
	sh.exitTrap()
	return sh.status
}

// arguments reads the shell's own options.
func (sh *Shell) arguments(args []string) (rest []string, command, ok bool) {
	for len(args) > 0 {
		a := args[0]
		if len(a) < 2 || a[0] != '-' && a[0] != '+' {
			break
		}
		args = args[1:]
		if a == "--" {
			break
		}
		if strings.HasPrefix(a, "--") {
			if a == "--version" && sh.dialect == Bash {
				sh.outf("GNU bash, version 5.2.37(1)-release (x86_64-pc-linux-gnu)\n")
				sh.p.Exit(0)
			}
			continue // --login, --norc, --posix
		}
		for i := 1; i < len(a); i++ {
			switch a[i] {
			case 'c':
				command, sh.opts.command = true, true
			case 'i':
				sh.interactive = true
			case 's':
				sh.opts.stdin = true
			case 'l':
			case 'o':
				if len(args) > 0 {
					sh.setOption(args[0], a[0] == '-')
					args = args[1:]
				}
			case 'O':
				if len(args) > 0 {
					sh.shopt(args[0], a[0] == '-')
					args = args[1:]
				}
			default:
				if !sh.setFlag(a[i], a[0] == '-') {
					sh.illegalOption(a, a[i])
					return nil, false, false
				}
			}
		}
	}
	if command && len(args) == 0 {
		if sh.dialect == Bash {
			_, _ = sh.p.Stderr().Write([]byte(sh.name + ": -c: option requires an argument\n"))
		} else {
			_, _ = sh.p.Stderr().Write([]byte(sh.name + ": -c requires an argument\n"))
		}
		return nil, false, false
	}
	return args, command, true
}

func (sh *Shell) illegalOption(arg string, flag byte) {
	switch sh.dialect {
	case Bash:
		_, _ = sh.p.Stderr().Write([]byte(sh.name + ": " + arg + ": invalid option\n"))
	case Dash:
		_, _ = sh.p.Stderr().Write([]byte(sh.name + ": 0: Illegal option " + arg[:1] + string(flag) + "\n"))
	default:
		_, _ = sh.p.Stderr().Write([]byte(sh.name + ": illegal option " + arg[:1] + string(flag) + "\n"))
	}
}

func (sh *Shell) runCommand(args []string) {
	if len(args) > 1 {
		sh.name = args[1]
		sh.params = args[2:]
	}
	sh.runScript(args[0], true)
}

// runFile runs a script file; a name without a slash is looked for here, then
// in PATH.
func (sh *Shell) runFile(args []string) {
	name := args[0]
	file := name
	if _, err := sh.p.Stat(file); err != nil && !hasSlash(name) {
		if found, err := sh.p.LookPath(name, sh.get("PATH")); err == nil {
			file = found
		}
	}
	data, err := sh.p.ReadFile(file, scriptMax+1)
	if err != nil {
		sh.cannotRead(name, err)
		return
	}
	sh.name, sh.params, sh.script = name, args[1:], true
	if strings.HasPrefix(string(data), "\x7fELF") {
		sh.errorf("%s: cannot execute binary file", name)
		sh.status = 126
		return
	}
	sh.runScript(string(data), false)
}

func (sh *Shell) cannotRead(name string, err error) {
	sh.status = 127
	missing := errors.Is(err, fs.ErrNotExist)
	var text string
	switch {
	case sh.dialect == Bash:
		text = sh.name + ": " + name + ": " + err.Error()
		if !missing {
			sh.status = 126
		}
	case sh.dialect == Dash && missing:
		text, sh.status = sh.name+": 0: cannot open "+name+": No such file", 2
	case sh.dialect == Dash:
		text, sh.status = sh.name+": 0: cannot open "+name+": "+err.Error(), 2
	default:
		text, sh.status = sh.name+": can't open '"+name+"': "+err.Error(), 2
	}
	_, _ = sh.p.Stderr().Write([]byte(text + "\n"))
}

// runScript runs a whole script; last says that the shell ends with it.
func (sh *Shell) runScript(text string, last bool) {
	defer sh.parsed(text)()
	s := sh.parse(text)
	sh.p.StepBytes(len(text))
	for i, st := range s.stmts {
		sh.exitOnExec = last && s.err == nil && i == len(s.stmts)-1
		sh.stmt(st)
		sh.exitOnExec = false
		if sh.leaving != stay {
			return
		}
		sh.breaks = 0
	}
	if s.err != nil {
		sh.syntaxFailure(s.err, text)
		return
	}
	sh.runTraps()
}

// parsed accounts for a script as long as it runs: what is returned is to be called at
// its end.
func (sh *Shell) parsed(text string) (done func()) {
	size := int64(parsedCost * len(text))
	sh.p.Reserve(size)
	return func() { sh.p.Reserve(-size) }
}

// syntaxFailure reports that script cannot be parsed.
func (sh *Shell) syntaxFailure(err error, script string) {
	text, line := syntaxError(err, sh.dialect)
	sh.line = line
	if sh.dialect == Bash && sh.opts.command {
		where := sh.name + ": -c: line " + itoa(int(max(line, 1))) + ": "
		text = where + text + "\n"
		if strings.Contains(text, "near unexpected token") {
			text += where + "`" + lineOf(script, int(line)) + "'\n"
		}
		_, _ = sh.p.Stderr().Write([]byte(text))
	} else {
		sh.errorf("%s", text)
	}
	sh.status = 2
	if !sh.interactive {
		sh.leaving = leaveShell
	}
}

// lineOf is the part of a script's nth line that messages show.
func lineOf(script string, n int) string {
	for ; n > 1; n-- {
		_, script, _ = strings.Cut(script, "\n")
	}
	line, _, _ := strings.Cut(script, "\n")
	return line[:min(len(line), errorTextMax)]
}

// runInput reads commands from standard input, line by line.
func (sh *Shell) runInput() {
	if sh.p.IsTTY(0) {
		sh.interactive = true
	}
	sh.opts.stdin = true
	if sh.interactive {
		sh.beInteractive()
	}
	pending := ""
	for sh.leaving != leaveShell {
		line, err := sh.ask(pending != "")
		if err == errInterrupted {
			pending, sh.status = "", 130
			continue
		}
		pending += line
		if pending != "" && !sh.runPending(&pending, err != nil) {
			continue
		}
		if err != nil {
			if sh.interactive && sh.dialect == Bash && sh.leaving != leaveShell {
				_, _ = sh.p.Stderr().Write([]byte("exit\n"))
			}
			return
		}
	}
}

// runPending runs the lines read so far. It is false if they are incomplete.
func (sh *Shell) runPending(pending *string, eof bool) bool {
	text := *pending
	s := sh.parse(text)
	if !eof && (syntax.IsIncomplete(s.err) || strings.HasSuffix(text, "\\\n")) {
		return false
	}
	*pending = ""
	sh.leaving, sh.breaks = stay, 0
	if s.err != nil && len(s.stmts) == 0 {
		sh.syntaxFailure(s.err, text)
	} else {
		for _, st := range s.stmts {
			if sh.leaving != stay {
				break
			}
			sh.stmt(st)
		}
		if s.err != nil && sh.leaving == stay {
			sh.syntaxFailure(s.err, text)
		}
	}
	if sh.leaving == leaveFunction || sh.leaving == leaveLoop {
		sh.leaving = stay
	}
	return true
}

// readCommandLine reads one line byte by byte, as a shell must: what follows
// belongs to the commands that it runs.
func (sh *Shell) readCommandLine() (string, error) {
	var line []byte
	b := make([]byte, 1)
	for {
		n, err := sh.p.Read(0, b)
		if n == 1 {
			line = append(line, b[0])
			if b[0] == '\n' {
				return string(line), nil
			}
			if len(line) > scriptMax {
				return string(line), io.EOF
			}
			continue
		}
		if err == nil {
			err = io.EOF
		}
		return string(line), err
	}
}
