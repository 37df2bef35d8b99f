package shell

import (
	"maps"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/expand"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// setFlag sets a one-letter option of set. It is false if there is none.
func (sh *Shell) setFlag(flag byte, on bool) bool {
	o := &sh.opts
	switch flag {
	case 'a':
		o.allexport = on
	case 'e':
		o.errexit = on
	case 'f':
		o.noglob = on
	case 'n':
		o.noexec = on
	case 'u':
		o.nounset = on
	case 'v':
		o.verbose = on
	case 'x':
		o.xtrace = on
	case 'C':
		o.noclobber = on
	case 'm', 'b', 'h', 'B', 'E', 'H', 'T', 'p', 'I', 'V', 'P':
	default:
		return false
	}
	return true
}

// setOption sets an option by its name, as set -o does.
func (sh *Shell) setOption(name string, on bool) bool {
	switch name {
	case "pipefail":
		sh.opts.pipefail = on
		return true
	case "posix", "monitor", "notify", "ignoreeof", "vi", "emacs", "nolog", "braceexpand", "hashall", "errtrace", "functrace", "physical", "interactive-comments":
		return true
	}
	for _, o := range [...]struct {
		name string
		flag byte
	}{
		{"allexport", 'a'}, {"errexit", 'e'}, {"noglob", 'f'}, {"noexec", 'n'}, {"nounset", 'u'},
		{"verbose", 'v'}, {"xtrace", 'x'}, {"noclobber", 'C'},
	} {
		if o.name == name {
			return sh.setFlag(o.flag, on)
		}
	}
	return false
}

func setBuiltin(sh *Shell, args []string) int {
	args = args[1:]
	if len(args) == 0 {
		sh.printAll()
		return 0
	}
	for len(args) > 0 {
		a := args[0]
		if a == "--" || a == "-" {
			sh.setParams(args[1:])
			return 0
		}
		if len(a) < 2 || a[0] != '-' && a[0] != '+' {
			sh.setParams(args)
			return 0
		}
		args = args[1:]
		for i := 1; i < len(a); i++ {
			if a[i] == 'o' {
				if len(args) == 0 {
					sh.printOptions()
					return 0
				}
				if !sh.setOption(args[0], a[0] == '-') {
					sh.illegalSet("%s: invalid option name", "illegal option %co %s", a[0], args[0])
					return 2
				}
				args = args[1:]
				continue
			}
			if !sh.setFlag(a[i], a[0] == '-') {
				if sh.dialect == Bash {
					sh.builtinErrorf("set", "%s: invalid option", a)
				} else {
					sh.builtinErrorf("set", "illegal option %c%c", a[0], a[i])
					sh.status, sh.leaving = 2, leaveShell
				}
				return 2
			}
		}
	}
	return 0
}

func (sh *Shell) illegalSet(bash, posix string, sign byte, name string) {
	if sh.dialect == Bash {
		sh.builtinErrorf("set", bash, name)
		return
	}
	sh.builtinErrorf("set", posix, sign, name)
	sh.status, sh.leaving = 2, leaveShell
}

func (sh *Shell) printOptions() {
	o := sh.opts
	for _, opt := range [...]struct {
		name string
		on   bool
	}{
		{"allexport", o.allexport}, {"errexit", o.errexit}, {"noclobber", o.noclobber}, {"noexec", o.noexec},
		{"noglob", o.noglob}, {"nounset", o.nounset}, {"pipefail", o.pipefail}, {"verbose", o.verbose}, {"xtrace", o.xtrace},
	} {
		state := "off"
		if opt.on {
			state = "on"
		}
		sh.outf("%-15s\t%s\n", opt.name, state)
	}
}

// printAll prints every variable, as set without arguments.
func (sh *Shell) printAll() {
	all := sh.vars.all()
	var s strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		v := all[name]
		sh.large(int(size(v)))
		if s.Len() > kernel.PieceMax {
			sh.outf("%s", s.String())
			s.Reset()
		}
		if !v.Set || strings.HasPrefix(name, "\x00") {
			continue
		}
		switch {
		case v.Kind == expand.Indexed && sh.dialect == Bash:
			s.WriteString(name + "=(" + strings.Join(v.List, " ") + ")\n")
		case sh.dialect == Bash:
			s.WriteString(name + "=" + quote(v.String()) + "\n")
		default:
			s.WriteString(name + "='" + strings.ReplaceAll(v.String(), "'", `'"'"'`) + "'\n")
		}
	}
	sh.outf("%s", s.String())
}

// shopt sets an option of bash. It is false if it is not known.
func (sh *Shell) shopt(name string, on bool) bool {
	o := &sh.opts
	switch name {
	case "globstar":
		o.globstar = on
	case "dotglob":
		o.dotglob = on
	case "nullglob":
		o.nullglob = on
	case "nocaseglob":
		o.nocaseglob = on
	case "nocasematch":
		o.nocasematch = on
	case "extglob":
		o.extglob = on
	case "expand_aliases":
		o.expandAliases = on
	case "lastpipe", "failglob", "inherit_errexit", "checkwinsize", "histappend", "cmdhist", "autocd", "login_shell":
	default:
		return false
	}
	return true
}

func shoptBuiltin(sh *Shell, args []string) int {
	mode := ""
	status := 0
	for _, a := range args[1:] {
		if strings.HasPrefix(a, "-") {
			mode = a
			continue
		}
		if mode == "" || mode == "-q" {
			continue
		}
		if !sh.shopt(a, mode == "-s") {
			sh.builtinErrorf("shopt", "%s: invalid shell option name", a)
			status = 1
		}
	}
	return status
}
