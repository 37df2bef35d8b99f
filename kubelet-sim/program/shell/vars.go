package shell

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/expand"
)

// scope holds variables. The scopes of functions form a chain: a variable that
// a function declared local hides the outer one, also from what it calls.
type scope struct {
	outer  *scope
	values map[string]expand.Variable
}

func (s *scope) find(name string) (expand.Variable, bool) {
	for ; s != nil; s = s.outer {
		if v, ok := s.values[name]; ok {
			return v, true
		}
	}
	return expand.Variable{}, false
}

// home is the scope that holds name, or the outermost.
func (s *scope) home(name string) *scope {
	for ; s.outer != nil; s = s.outer {
		if _, ok := s.values[name]; ok {
			return s
		}
	}
	return s
}

func (s *scope) copied() *scope {
	if s == nil {
		return nil
	}
	values := maps.Clone(s.values)
	for name, v := range values {
		if len(v.List) > 0 { // what one of the two appends the other must not see
			v.List = slices.Clip(v.List)
			values[name] = v
		}
	}
	return &scope{outer: s.outer.copied(), values: values}
}

// count is how many variables there are, hidden ones included.
func (s *scope) count() int {
	n := 0
	for ; s != nil; s = s.outer {
		n += len(s.values)
	}
	return n
}

// all returns the visible variables.
func (s *scope) all() map[string]expand.Variable {
	if s.outer == nil {
		return s.values
	}
	list := maps.Clone(s.outer.all())
	maps.Copy(list, s.values)
	return list
}

var (
	errReadOnly = errors.New("is read only")
	errTooLarge = errors.New("out of memory")
)

// environ shows a shell's variables to the expand package, which follows references.
type environ struct{ sh *Shell }

// Get implements expand.Environ.
func (e environ) Get(name string) expand.Variable {
	if v, ok := e.sh.special(name); ok {
		return v
	}
	v, _ := e.sh.vars.find(name)
	e.sh.look(v)
	if e.sh.drawn += size(v); e.sh.drawn > drawnMax {
		return expand.Variable{Set: true, Kind: expand.String}
	}
	return v
}

// Each implements expand.Environ, in order of the names.
func (e environ) Each(fn func(name string, v expand.Variable) bool) {
	all := e.sh.vars.all()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !fn(name, all[name]) {
			return
		}
	}
}

// get returns a variable's value as a string.
func (sh *Shell) get(name string) string { return environ{sh}.Get(name).String() }

// set gives a variable a string, and reports where that is not allowed.
func (sh *Shell) set(name, value string) {
	v, _ := sh.vars.find(name)
	v.Set, v.Kind, v.Str = true, expand.String, value
	sh.report(name, sh.assign(name, v))
}

// report prints an error of an assignment, which ends the shell.
func (sh *Shell) report(name string, err error) bool {
	switch {
	case err == nil:
		return true
	case errors.Is(err, errReadOnly) && sh.dialect == Bash:
		sh.errorf("%s: readonly variable", name)
		sh.status = 1
		sh.leaving = leaveShell
	case errors.Is(err, errReadOnly):
		sh.fatalf("%s: is read only", name)
	default:
		sh.fatalf("%v", err)
	}
	return false
}

// look accounts for going through the elements of an array.
func (sh *Shell) look(v expand.Variable) {
	if n := len(v.List) + len(v.Map); n > 64 {
		sh.p.Step(n / 64)
	}
}

// variableCost is what a variable takes beside its value. Unit: bytes.
const variableCost = 128

func size(v expand.Variable) int64 {
	n := int64(variableCost + len(v.Str))
	for _, s := range v.List {
		n += int64(len(s)) + 16
	}
	for _, s := range v.Map {
		n += int64(len(s)) + 64
	}
	return n
}

// assign sets or, if v is not set, unsets a variable.
func (sh *Shell) assign(name string, v expand.Variable) error {
	at := sh.vars.home(name)
	if v.Local {
		at = sh.vars
	}
	old, had := at.values[name]
	if v.Kind == expand.KeepValue {
		v.Kind, v.Str, v.List, v.Map, v.Indexes, v.Set = old.Kind, old.Str, old.List, old.Map, old.Indexes, old.Set
	} else if old.ReadOnly {
		return errReadOnly
	}
	was, n := int64(0), size(v)
	if had {
		was = size(old)
	}
	switch {
	case v.Declared():
	case had && old.Local:
		n = variableCost
	default:
		n = 0
	}
	if n > valueMax || sh.held+n-was > variableMax {
		return errTooLarge
	}
	sh.hold(n - was)
	if !v.Declared() {
		if had && old.Local {
			at.values[name] = expand.Variable{Local: true}
			return nil
		}
		delete(at.values, name)
		return nil
	}
	if sh.opts.allexport {
		v.Exported = true
	}
	if had && old.Local {
		v.Local = true
	}
	if at.values == nil {
		at.values = make(map[string]expand.Variable)
	}
	at.values[name] = v
	sh.assigned(name, v)
	return nil
}

// hold accounts for n more bytes in variables.
func (sh *Shell) hold(n int64) {
	sh.held += n
	sh.p.Charge(n)
}

// assigned acts on variables that mean something to the shell.
func (sh *Shell) assigned(name string, v expand.Variable) {
	switch name {
	case "RANDOM":
		n, _ := strconv.ParseUint(v.Str, 10, 64)
		sh.randomState, sh.randomSeeded = n, true
	case "OPTIND":
		sh.getoptsAt = 0
	}
}

func str(s string) expand.Variable { return expand.Variable{Set: true, Kind: expand.String, Str: s} }

// special returns the variables that the shell computes.
func (sh *Shell) special(name string) (expand.Variable, bool) {
	switch name {
	case "#":
		return str(strconv.Itoa(len(sh.params))), true
	case "@", "*":
		list := sh.params
		if list == nil {
			list = []string{}
		}
		return expand.Variable{Set: true, Kind: expand.Indexed, List: list}, true
	case "?":
		return str(strconv.Itoa(sh.status)), true
	case "$":
		return str(strconv.Itoa(sh.pid())), true
	case "!":
		if sh.lastJob == nil {
			return expand.Variable{}, true
		}
		return str(strconv.Itoa(sh.lastJob.PID)), true
	case "-":
		return str(sh.opts.flags(sh.dialect)), true
	case "0":
		return str(sh.name), true
	case "PPID":
		return str(strconv.Itoa(sh.p.PPID)), true
	case "RANDOM":
		return str(strconv.FormatUint(sh.random()%32768, 10)), sh.dialect != Dash
	case "SECONDS":
		return str(strconv.Itoa(int(sh.p.Now().Sub(sh.p.Started).Seconds()))), sh.dialect == Bash
	case "EPOCHSECONDS":
		return str(strconv.FormatInt(sh.p.Now().Unix(), 10)), sh.dialect != Dash
	case "BASHPID":
		return str(strconv.Itoa(sh.p.PID)), sh.dialect == Bash
	case "UID", "EUID":
		return str(strconv.Itoa(int(sh.p.UID))), sh.dialect == Bash
	case "FUNCNAME", "DIRSTACK":
		return expand.Variable{}, false
	}
	if n, err := strconv.Atoi(name); err == nil && n >= 1 {
		if n <= len(sh.params) {
			return str(sh.params[n-1]), true
		}
		return expand.Variable{}, true
	}
	if user, ok := strings.CutPrefix(name, "HOME "); ok {
		return str(sh.homeOf(user)), true
	}
	return expand.Variable{}, false
}

// pid is $$: that of the shell, in its subshells too.
func (sh *Shell) pid() int {
	if v, ok := sh.vars.find("\x00pid"); ok {
		n, _ := strconv.Atoi(v.Str)
		return n
	}
	return sh.p.PID
}

func (sh *Shell) random() uint64 {
	if !sh.randomSeeded {
		return sh.p.Machine().Random()
	}
	sh.randomState = sh.randomState*6364136223846793005 + 1442695040888963407
	return sh.randomState >> 33
}

// homeOf is what ~user means, from /etc/passwd. An unknown user's is ~user.
func (sh *Shell) homeOf(user string) string {
	data, err := sh.p.Contents("/etc/passwd")
	if err != nil {
		return "~" + user
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Split(strings.TrimSuffix(line, "\n"), ":"); len(f) >= 6 && f[0] == user {
			return f[5]
		}
	}
	return "~" + user
}

// environment is what a child process inherits, in order of the names as far
// as the container's own order does not say otherwise.
func (sh *Shell) environment() []string {
	sh.p.Step(1 + sh.vars.count()/16)
	all := sh.vars.all()
	for _, v := range all {
		if v.Exported {
			sh.p.Work(len(v.Str))
		}
	}
	env := make([]string, 0, len(sh.p.Env)+4)
	seen := make(map[string]bool, len(sh.p.Env))
	for _, e := range sh.p.Env {
		name, _, _ := strings.Cut(e, "=")
		if v := all[name]; v.Exported && v.Set && !seen[name] {
			env = append(env, name+"="+v.String())
			seen[name] = true
		}
	}
	var added []string
	for name, v := range all {
		if v.Exported && v.Set && !seen[name] && v.Kind == expand.String {
			added = append(added, name+"="+v.Str)
		}
	}
	slices.Sort(added)
	return append(env, added...)
}

// flags is the value of $-.
func (o options) flags(d Dialect) string {
	var s strings.Builder
	for _, f := range [...]struct {
		set  bool
		flag byte
	}{
		{o.allexport, 'a'}, {o.errexit, 'e'}, {o.noglob, 'f'}, {d == Bash, 'h'}, {o.monitor, 'i'},
		{o.nounset, 'u'}, {o.verbose, 'v'}, {o.xtrace, 'x'}, {d == Bash, 'B'}, {o.noclobber, 'C'},
		{o.command, 'c'}, {o.stdin, 's'},
	} {
		if f.set {
			s.WriteByte(f.flag)
		}
	}
	return s.String()
}
