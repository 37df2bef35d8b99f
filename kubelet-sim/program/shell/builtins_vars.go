package shell

import (
	"io"
	"maps"
	"strconv"
	"strings"
	"time"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

func unsetBuiltin(sh *Shell, args []string) int {
	status := 0
	functions, variables := false, false
	for _, name := range args[1:] {
		switch {
		case name == "-f":
			functions = true
			continue
		case name == "-v", name == "-n":
			variables = true
			continue
		case functions:
			delete(sh.funcs, name)
			continue
		}
		if base, sub, ok := strings.Cut(name, "["); ok && strings.HasSuffix(sub, "]") {
			sh.unsetElement(base, strings.TrimSuffix(sub, "]"))
			continue
		}
		if !syntax.ValidName(name) {
			if sh.dialect == Bash {
				sh.builtinErrorf("unset", "`%s': not a valid identifier", name)
				return 1
			}
			sh.builtinErrorf("unset", "%s: bad variable name", name)
			sh.status, sh.leaving = 2, leaveShell
			return 2
		}
		_, had := sh.vars.find(name)
		if err := sh.assign(name, expand.Variable{}); err != nil {
			if sh.dialect == Bash {
				sh.builtinErrorf("unset", "%s: cannot unset: readonly variable", name)
				status = 1
				continue
			}
			sh.builtinErrorf("unset", "%s: is read only", name)
			sh.status, sh.leaving = 2, leaveShell
			return 2
		}
		if !had && !variables && sh.dialect == Bash {
			delete(sh.funcs, name)
		}
	}
	return status
}

func (sh *Shell) unsetElement(name, sub string) {
	v, _ := sh.vars.find(name)
	switch v.Kind {
	case expand.Associative:
		sh.p.Step(1 + len(v.Map)/4)
		m := maps.Clone(v.Map)
		delete(m, strings.Trim(sub, `"'`))
		v.Map = m
	case expand.Indexed:
		n, err := strconv.Atoi(sub)
		if err != nil {
			return
		}
		sh.p.Step(1 + len(v.List)/4)
		m := indexed(v)
		if n < 0 {
			n += maxIndex(m) + 1
		}
		delete(m, n)
		v = setIndexed(v, m)
	default:
		return
	}
	_ = sh.assign(name, v)
}

// declareBuiltin is export and its like where the parser saw a plain command:
// under POSIX, or after "command" and "builtin".
func declareBuiltin(sh *Shell, args []string) int {
	cmd := &syntax.DeclClause{Variant: &syntax.Lit{Value: args[0]}}
	for _, a := range args[1:] {
		cmd.Args = append(cmd.Args, &syntax.Assign{Naked: true, Value: &syntax.Word{Parts: []syntax.WordPart{&syntax.SglQuoted{Value: a}}}})
	}
	sh.declare(cmd)
	return sh.status
}

func letBuiltin(sh *Shell, args []string) int {
	n := 0
	for _, a := range args[1:] {
		x, err := syntax.NewParser().Arithmetic(strings.NewReader(a))
		if err != nil {
			sh.builtinErrorf("let", "%s: syntax error", a)
			return 1
		}
		n = sh.arithmetic(x)
	}
	return boolStatus(n != 0)
}

// readOptions are those of the read builtin.
type readOptions struct {
	raw, silent bool
	array       string
	prompt      string
	delimiter   byte
	count       int
	timeout     string
	names       []string
}

func (sh *Shell) readArguments(args []string) (o readOptions, ok bool) {
	o.delimiter, o.count = '\n', -1
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		a := args[0]
		args = args[1:]
		if a == "--" {
			break
		}
		for i := 1; i < len(a); i++ {
			switch f := a[i]; f {
			case 'r':
				o.raw = true
			case 's', 'e':
				o.silent = true
			case 'p', 'd', 'n', 'N', 't', 'u', 'a':
				value := a[i+1:]
				if value == "" {
					if len(args) == 0 {
						sh.builtinErrorf("read", "option requires an argument -- %c", f)
						return o, false
					}
					value, args = args[0], args[1:]
				}
				o.value(f, value)
				i = len(a)
			default:
				sh.builtinErrorf("read", "illegal option -%c", f)
				return o, false
			}
		}
	}
	o.names = args
	return o, true
}

func (o *readOptions) value(flag byte, value string) {
	switch flag {
	case 'p':
		o.prompt = value
	case 'd':
		o.delimiter = 0
		if value != "" {
			o.delimiter = value[0]
		}
	case 'n', 'N':
		o.count, _ = strconv.Atoi(value)
	case 't':
		o.timeout = value
	case 'a':
		o.array = value
	}
}

func readBuiltin(sh *Shell, args []string) int {
	o, ok := sh.readArguments(args[1:])
	if !ok {
		return 2
	}
	for _, name := range o.names {
		if !syntax.ValidName(name) {
			if sh.dialect == Bash {
				sh.builtinErrorf("read", "`%s': not a valid identifier", name)
				return 1
			}
			sh.builtinErrorf("read", "bad variable name %s", name)
			return 2
		}
	}
	if o.prompt != "" && (sh.p.IsTTY(0) || sh.dialect != Bash) {
		_, _ = sh.p.Stderr().Write([]byte(o.prompt))
	}
	if o.timeout != "" && !sh.inputBefore(o.timeout) {
		return 142
	}
	line, err := sh.readText(o)
	sh.giveFields(o, line)
	if sh.leaving != stay {
		return sh.status
	}
	return boolStatus(err == nil)
}

// inputBefore waits for input at most the given seconds.
func (sh *Shell) inputBefore(seconds string) bool {
	s, err := strconv.ParseFloat(seconds, 64)
	if err != nil {
		return true
	}
	return sh.p.WaitInput(0, engine.Span(s, time.Second))
}

// readText reads up to the delimiter, or o.count bytes. An escaped newline
// joins lines unless o.raw.
func (sh *Shell) readText(o readOptions) (string, error) {
	var line []byte
	b := make([]byte, 1)
	for o.count < 0 || len(line) < o.count {
		n, err := sh.p.Read(0, b)
		if n == 0 {
			if err == nil {
				err = io.EOF
			}
			return string(line), err
		}
		if b[0] == o.delimiter && (o.raw || !oddBackslashes(line)) {
			return string(line), nil
		}
		if b[0] == '\n' && !o.raw && oddBackslashes(line) {
			line = line[:len(line)-1]
			continue
		}
		if b[0] != 0 {
			line = append(line, b[0])
		}
		if len(line) > valueMax {
			return string(line), io.EOF
		}
	}
	return string(line), nil
}

func oddBackslashes(line []byte) bool {
	n := 0
	for i := len(line) - 1; i >= 0 && line[i] == '\\'; i-- {
		n++
	}
	return n%2 == 1
}

// readLine reads a line for select.
func (sh *Shell) readLine(delimiter byte) (string, error) {
	return sh.readText(readOptions{raw: true, delimiter: delimiter, count: -1})
}

func (sh *Shell) giveFields(o readOptions, line string) {
	if o.array != "" {
		sh.setList(o.array, sh.readFields(line, -1, o.raw))
		return
	}
	if len(o.names) == 0 {
		if !o.raw {
			line = unquoteMeta(line)
		}
		sh.set("REPLY", line)
		return
	}
	fields := sh.readFields(line, len(o.names), o.raw)
	for i, name := range o.names {
		value := ""
		if i < len(fields) {
			value = fields[i]
		}
		sh.set(name, value)
	}
}

func mapfileBuiltin(sh *Shell, args []string) int {
	name, trim := "MAPFILE", false
	for _, a := range args[1:] {
		switch {
		case a == "-t":
			trim = true
		case !strings.HasPrefix(a, "-"):
			name = a
		}
	}
	var list []string
	for len(list) < indexMax {
		line, err := sh.readLine('\n')
		if err != nil && line == "" {
			break
		}
		if !trim && err == nil {
			line += "\n"
		}
		list = append(list, line)
		if err != nil {
			break
		}
	}
	sh.setList(name, list)
	return 0
}

func getoptsBuiltin(sh *Shell, args []string) int {
	if len(args) < 3 {
		sh.builtinErrorf("getopts", "usage: getopts optstring var [arg]")
		return 2
	}
	spec, name, list := args[1], args[2], sh.params
	if len(args) > 3 {
		list = args[3:]
	}
	at, _ := strconv.Atoi(sh.get("OPTIND"))
	at = max(at, 1)
	inner := sh.getoptsAt
	done := func(next, inner int) {
		sh.set("OPTIND", itoa(next))
		sh.getoptsAt = inner
	}
	if inner == 0 {
		if at > len(list) || len(list[at-1]) < 2 || list[at-1][0] != '-' {
			done(at, 0)
			sh.set(name, "?")
			return 1
		}
		if list[at-1] == "--" {
			done(at+1, 0)
			sh.set(name, "?")
			return 1
		}
		inner = 1
	}
	if at > len(list) || inner >= len(list[at-1]) {
		sh.set(name, "?")
		return 1
	}
	word := list[at-1]
	flag := word[inner]
	next, nextInner := at, inner+1
	if nextInner >= len(word) {
		next, nextInner = at+1, 0
	}
	i := strings.IndexByte(strings.TrimPrefix(spec, ":"), flag)
	quiet := strings.HasPrefix(spec, ":")
	plain := strings.TrimPrefix(spec, ":")
	if i < 0 || flag == ':' {
		done(next, nextInner)
		return sh.optionError(name, quiet, "?", flag, "illegal option -- "+string(flag), "Illegal option -"+string(flag))
	}
	if i+1 >= len(plain) || plain[i+1] != ':' {
		done(next, nextInner)
		sh.set(name, string(flag))
		return 0
	}
	value := ""
	switch {
	case nextInner > 0:
		value = word[nextInner:]
		next++
	case next <= len(list):
		value = list[next-1]
		next++
	default:
		done(next, 0)
		return sh.optionError(name, quiet, ":", flag, "option requires an argument -- "+string(flag), "No arg for -"+string(flag)+" option")
	}
	done(next, 0)
	sh.set(name, string(flag))
	sh.set("OPTARG", value)
	return 0
}

func (sh *Shell) optionError(name string, quiet bool, mark string, flag byte, bash, posix string) int {
	if quiet {
		sh.set(name, mark)
		sh.set("OPTARG", string(flag))
		return 0
	}
	sh.set(name, "?")
	_ = sh.assign("OPTARG", expand.Variable{})
	text := posix
	if sh.dialect == Bash {
		text = sh.name + ": " + bash
	}
	_, _ = sh.p.Stderr().Write([]byte(text + "\n"))
	return 0
}
