package shell

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

func (sh *Shell) describeCommand(name string) (kind, text string) {
	switch {
	case sh.alias[name] != "":
		return "alias", name + " is an alias for " + sh.alias[name]
	case syntax.IsKeyword(name):
		return "keyword", name + " is a shell keyword"
	case sh.funcs[name] != nil:
		if sh.dialect == Bash {
			return "function", name + " is a function"
		}
		return "function", name + " is a shell function"
	case builtins(name, sh.dialect) != nil:
		if special(name) && sh.dialect != Bash {
			return "builtin", name + " is a special shell builtin"
		}
		return "builtin", name + " is a shell builtin"
	}
	file, err := sh.p.LookPath(name, sh.get("PATH"))
	if err != nil {
		return "", ""
	}
	if in, err := sh.p.Stat(file); err != nil || in.IsDir() {
		return "", ""
	}
	return "file", name + " is " + file
}

func typeBuiltin(sh *Shell, args []string) int {
	status := 0
	short := ""
	for _, name := range args[1:] {
		if len(name) == 2 && name[0] == '-' {
			short = name
			continue
		}
		kind, text := sh.describeCommand(name)
		switch {
		case kind == "" && short == "-t":
			status = 1
		case kind == "" && sh.dialect == Bash:
			sh.builtinErrorf("type", "%s: not found", name)
			status = 1
		case kind == "":
			sh.outf("%s: not found\n", name)
			status = 127
		case short == "-t":
			sh.outf("%s\n", kind)
		case short == "-p" || short == "-P":
			if kind == "file" {
				sh.outf("%s\n", strings.TrimPrefix(text, name+" is "))
			}
		default:
			sh.outf("%s\n", text)
		}
	}
	return status
}

func commandBuiltin(sh *Shell, args []string) int {
	args = args[1:]
	show := byte(0)
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		if f := args[0][1]; f == 'v' || f == 'V' {
			show = f
		}
		args = args[1:]
	}
	if len(args) == 0 {
		return 0
	}
	if show == 0 {
		if b := builtins(args[0], sh.dialect); b != nil {
			return b(sh, args)
		}
		sh.program(args, false)
		return sh.status
	}
	kind, text := sh.describeCommand(args[0])
	switch {
	case kind == "" && show == 'V':
		_, _ = sh.p.Stderr().Write([]byte(args[0] + ": not found\n"))
		return 127
	case kind == "" && sh.dialect == Bash:
		return 1
	case kind == "":
		return 127
	case show == 'V':
		sh.outf("%s\n", text)
	case kind == "file":
		sh.outf("%s\n", strings.TrimPrefix(text, args[0]+" is "))
	case kind == "alias":
		sh.outf("alias %s='%s'\n", args[0], sh.alias[args[0]])
	default:
		sh.outf("%s\n", args[0])
	}
	return 0
}

func builtinBuiltin(sh *Shell, args []string) int {
	if len(args) < 2 {
		return 0
	}
	if b := builtins(args[1], sh.dialect); b != nil {
		return b(sh, args[1:])
	}
	sh.builtinErrorf("builtin", "%s: not a shell builtin", args[1])
	return 1
}

func aliasBuiltin(sh *Shell, args []string) int {
	if sh.alias == nil {
		sh.alias = make(map[string]string)
	}
	show := func(name string) {
		if sh.dialect == Bash {
			sh.outf("alias %s='%s'\n", name, sh.alias[name])
			return
		}
		sh.outf("%s='%s'\n", name, sh.alias[name])
	}
	if len(args) == 1 {
		for _, name := range slices.Sorted(maps.Keys(sh.alias)) {
			show(name)
		}
		return 0
	}
	status := 0
	for _, a := range args[1:] {
		name, text, ok := strings.Cut(a, "=")
		switch {
		case ok:
			if _, had := sh.alias[name]; !had {
				sh.p.Charge(variableCost)
			}
			sh.p.Charge(int64(len(text) - len(sh.alias[name])))
			sh.alias[name] = text
			sh.opts.expandAliases = sh.opts.expandAliases || sh.dialect != Bash
		case sh.alias[name] != "":
			show(name)
		default:
			sh.builtinErrorf("alias", "%s not found", name)
			status = 1
		}
	}
	return status
}

func unaliasBuiltin(sh *Shell, args []string) int {
	for _, name := range args[1:] {
		if name == "-a" {
			clear(sh.alias)
			continue
		}
		delete(sh.alias, name)
	}
	return 0
}

func umaskBuiltin(sh *Shell, args []string) int {
	switch {
	case len(args) == 1:
		sh.outf("%04o\n", sh.p.Umask)
		return 0
	case args[1] == "-S":
		sh.outf("u=%s,g=%s,o=%s\n", symbolic(^sh.p.Umask>>6), symbolic(^sh.p.Umask>>3), symbolic(^sh.p.Umask))
		return 0
	}
	n, err := strconv.ParseUint(args[1], 8, 12)
	if err != nil {
		sh.builtinErrorf("umask", "illegal mode: %s", args[1])
		return 1
	}
	sh.p.Umask = uint32(n) & 0o777
	return 0
}

// symbolic is what three bits of a mode permit.
func symbolic(bits uint32) string {
	s := ""
	for i, c := range "rwx" {
		if bits&(4>>i) != 0 {
			s += string(c)
		}
	}
	return s
}

// ulimitBuiltin shows limits as in a container without any; it sets none.
func ulimitBuiltin(sh *Shell, args []string) int {
	what := byte('f')
	for _, a := range args[1:] {
		if len(a) > 1 && a[0] == '-' {
			what = a[len(a)-1]
			continue
		}
		return 0
	}
	switch what {
	case 'a':
		sh.outf("core file size (blocks)         (-c) 0\nopen files                      (-n) 1048576\nstack size (kb)                 (-s) 8192\nmax user processes              (-u) unlimited\n")
	case 'n':
		sh.outf("1048576\n")
	case 's':
		sh.outf("8192\n")
	case 'c':
		sh.outf("0\n")
	default:
		sh.outf("unlimited\n")
	}
	return 0
}

func timesBuiltin(sh *Shell, _ []string) int {
	sh.outf("0m0.000s 0m0.000s\n0m0.000s 0m0.000s\n")
	return 0
}

func dirsBuiltin(sh *Shell, args []string) int {
	show := func() {
		sh.outf("%s\n", strings.Join(append([]string{sh.p.Cwd}, sh.dirs...), " "))
	}
	switch args[0] {
	case "pushd":
		if len(args) < 2 {
			sh.builtinErrorf("pushd", "no other directory")
			return 1
		}
		before := sh.p.Cwd
		if status := sh.changeDir(args[1], false, false); status != 0 {
			return status
		}
		sh.p.Step(1 + len(sh.dirs)/16)
		sh.p.Charge(int64(variableCost + len(before))) // what popd takes away again stays charged
		sh.dirs = append([]string{before}, sh.dirs...)
	case "popd":
		if len(sh.dirs) == 0 {
			sh.builtinErrorf("popd", "directory stack empty")
			return 1
		}
		to := sh.dirs[0]
		sh.dirs = sh.dirs[1:]
		if status := sh.changeDir(to, false, false); status != 0 {
			return status
		}
	}
	show()
	return 0
}
