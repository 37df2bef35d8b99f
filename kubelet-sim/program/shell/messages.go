package shell

import (
	"fmt"
	"io/fs"

	"errors"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// errorf prints a message as the dialect does: with the name of the shell or
// script and, where the dialect gives it, the line.
func (sh *Shell) errorf(format string, args ...any) { sh.complain("", format, args...) }

// builtinErrorf is errorf for a message of a builtin command.
func (sh *Shell) builtinErrorf(name, format string, args ...any) {
	sh.complain(name, format, args...)
}

func (sh *Shell) complain(builtin, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	line := max(sh.line, 1)
	var s string
	switch {
	case sh.dialect == Bash && sh.interactive:
		s = "bash: " + prefix(builtin) + text
	case sh.dialect == Bash:
		s = fmt.Sprintf("%s: line %d: %s%s", sh.name, line, prefix(builtin), text)
	case sh.dialect == Dash:
		s = fmt.Sprintf("%s: %d: %s%s", sh.name, line, prefix(builtin), text)
	case sh.script:
		s = fmt.Sprintf("%s: %sline %d: %s", sh.name, prefix(builtin), line, text)
	case builtin != "" && !sh.interactive:
		s = fmt.Sprintf("%s: %s: line 0: %s", sh.name, builtin, text)
	default:
		s = fmt.Sprintf("%s: %s%s", sh.name, prefix(builtin), text)
	}
	_, _ = sh.p.Stderr().Write([]byte(s + "\n"))
}

func prefix(builtin string) string {
	if builtin == "" {
		return ""
	}
	return builtin + ": "
}

// fatalf is errorf for an error that ends a shell that is not interactive.
func (sh *Shell) fatalf(format string, args ...any) {
	sh.errorf(format, args...)
	sh.fail()
}

func (sh *Shell) fail() {
	sh.status = 2
	if sh.dialect == Bash {
		sh.status = 1
	}
	if sh.interactive {
		sh.leaving = leaveFunction
		return
	}
	sh.leaving = leaveShell
}

// cannotOpen reports a redirection that failed.
func (sh *Shell) cannotOpen(name string, create bool, err error) {
	missing := errors.Is(err, fs.ErrNotExist) || err == vfs.ENOTDIR
	switch {
	case sh.dialect == Bash:
		sh.errorf("%s: %v", name, err)
	case sh.dialect == Dash && create && missing:
		sh.errorf("cannot create %s: Directory nonexistent", name)
	case sh.dialect == Dash && create:
		sh.errorf("cannot create %s: %v", name, err)
	case sh.dialect == Dash && missing:
		sh.errorf("cannot open %s: No such file", name)
	case sh.dialect == Dash:
		sh.errorf("cannot open %s: %v", name, err)
	case create && missing:
		sh.errorf("can't create %s: nonexistent directory", name)
	case create:
		sh.errorf("can't create %s: %v", name, err)
	case missing:
		sh.errorf("can't open %s: no such file", name)
	default:
		sh.errorf("can't open %s: %v", name, err)
	}
}

// redirectStatus is the exit code of a command whose redirection failed.
func (sh *Shell) redirectStatus() int {
	if sh.dialect == Dash {
		return 2
	}
	return 1
}

// cannotRun reports a command that is not found or cannot be executed, and
// returns its exit code.
func (sh *Shell) cannotRun(name string, err error) int {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		switch {
		case sh.dialect != Bash:
			sh.errorf("%s: not found", name)
		case hasSlash(name):
			sh.errorf("%s: %v", name, err)
		default:
			sh.errorf("%s: command not found", name)
		}
		return 127
	case err == vfs.EACCES && sh.dialect == Bash && sh.isDir(name):
		sh.errorf("%s: Is a directory", name)
	default:
		sh.errorf("%s: %v", name, err)
	}
	return 126
}

func hasSlash(name string) bool {
	for i := range len(name) {
		if name[i] == '/' {
			return true
		}
	}
	return false
}

func (sh *Shell) isDir(name string) bool {
	in, err := sh.p.Stat(name)
	return err == nil && in.IsDir()
}

func (sh *Shell) outf(format string, args ...any) {
	_, _ = fmt.Fprintf(sh.p.Stdout(), format, args...)
}
