package kernel

import (
	"bytes"
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// ENOEXEC is returned by Load for a file that is neither a program nor a
// script with an interpreter. Shells run such a file themselves.
const ENOEXEC vfs.Error = "Exec format error"

// executableHead starts the contents of a program file. The name of the
// program and a newline follow.
const executableHead = "\x7fELF\x02\x01\x01kubesim:"

// firstLineMax is how much of a file says what runs it, as BINPRM_BUF_SIZE. Unit:
// bytes.
const firstLineMax = 256

// interpretersMax bounds the scripts that interpret each other.
const interpretersMax = 4

// Executable returns the contents of a file that runs a program of a name.
func Executable(name string) []byte { return []byte(executableHead + name + "\n") }

// LookPath finds the file that a command name means: the name itself if it has
// a slash, else the first executable file in path, a list of directories.
func (p *Proc) LookPath(name, path string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	var found error = vfs.ENOENT
	for dir := range strings.SplitSeq(path, ":") {
		if dir == "" {
			dir = "."
		}
		file := vfs.Join(dir, name)
		in, err := p.Stat(file)
		if err != nil || in.IsDir() {
			continue
		}
		if p.FS().Access(p.Abs(file), 1, p.User()) == nil {
			return file, nil
		}
		found = vfs.EACCES
	}
	return "", found
}

// E2BIG is returned by Load for arguments and an environment that are too long.
const E2BIG vfs.Error = "Argument list too long"

// argMax bounds one argument or one variable of the environment, as
// MAX_ARG_STRLEN; argsMax bounds all of them, a quarter of the usual stack. Unit:
// bytes. Source: bprm_stack_limits in fs/exec.c of Linux 6.8.
const (
	argMax  = 128 << 10
	argsMax = 2 << 20
)

// tooLong tells whether args and p's environment are more than a program may be
// given. It accounts for copying them.
func (p *Proc) tooLong(args []string) bool {
	total := 0
	for _, list := range [...][]string{args, p.Env} {
		for _, s := range list {
			if len(s) >= argMax {
				return true
			}
			total += len(s) + 9 // its end, and a pointer to it
		}
	}
	p.Work(total)
	return total > argsMax
}

// SizeOf is what a list of texts takes. Unit: bytes.
func SizeOf(list []string) int64 {
	size := int64(0)
	for _, s := range list {
		size += int64(len(s)) + 16
	}
	return size
}

// Load makes p the process of the program file at a path, called with args,
// and returns what runs it.
func (p *Proc) Load(file string, args []string) (Main, error) {
	if p.tooLong(args) {
		return nil, E2BIG
	}
	for range interpretersMax {
		in, err := p.Stat(file)
		if err != nil {
			return nil, err
		}
		if err := p.FS().Access(p.Abs(file), 1, p.User()); err != nil || in.IsDir() {
			return nil, vfs.EACCES
		}
		data, err := p.FS().ReadFile(p.Abs(file), p.User())
		if err != nil {
			return nil, err
		}
		line, _, _ := bytes.Cut(data[:min(len(data), firstLineMax)], []byte("\n"))
		if name, ok := bytes.CutPrefix(line, []byte(executableHead)); ok {
			p.Args, p.Exe = args, file
			p.Reserve(SizeOf(args) + SizeOf(p.Env))
			if main := p.m.cfg.Programs(string(name)); main != nil {
				return main, nil
			}
			return nil, ENOEXEC
		}
		interpreter, ok := bytes.CutPrefix(line, []byte("#!"))
		if !ok {
			return nil, ENOEXEC
		}
		with, option, _ := strings.Cut(strings.TrimSpace(string(interpreter)), " ")
		next := []string{with}
		if option = strings.TrimSpace(option); option != "" {
			next = append(next, option)
		}
		args = append(append(next, file), args[min(1, len(args)):]...)
		file = with
		if file == "" {
			return nil, ENOEXEC
		}
	}
	return nil, vfs.ELOOP
}
