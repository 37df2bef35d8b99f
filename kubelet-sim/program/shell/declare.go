package shell

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// declare runs export, readonly, local, declare, typeset and nameref.
func (sh *Shell) declare(cmd *syntax.DeclClause) {
	d := declaration{name: cmd.Variant.Value, local: sh.inFunction > 0}
	switch d.name {
	case "export":
		d.export, d.local = true, false
	case "readonly":
		d.readOnly, d.local = true, false
	case "nameref":
		d.kind = "-n"
	case "local":
		if sh.inFunction == 0 {
			sh.localOutside()
			return
		}
	}
	sh.substituted, sh.status = 0, 0
	named := false
	for _, a := range cmd.Args {
		if sh.leaving != stay {
			return
		}
		if a.Name != nil {
			named = true
			sh.declareOne(d, a)
			continue
		}
		words, ok := sh.fields(a.Value)
		if !ok {
			return
		}
		for _, w := range words {
			if strings.HasPrefix(w, "-") || strings.HasPrefix(w, "+") {
				d.option(w)
				continue
			}
			named = true
			sh.declareOne(d, textAssign(w))
		}
	}
	if !named {
		sh.listVariables(d)
	}
}

func (sh *Shell) localOutside() {
	if sh.dialect == Bash {
		sh.builtinErrorf("local", "can only be used in a function")
		sh.status = 1
		return
	}
	sh.builtinErrorf("local", "not in a function")
	sh.status, sh.leaving = 2, leaveShell
}

// declaration is what a declare command does to its names.
type declaration struct {
	name                              string
	local, export, unexport, readOnly bool
	print                             bool
	functions                         bool
	kind                              string
}

func (d *declaration) option(w string) {
	on := w[0] == '-'
	for _, f := range w[1:] {
		switch f {
		case 'x':
			d.export, d.unexport = on, !on
		case 'n':
			if d.name == "export" {
				d.export, d.unexport = false, true
			} else {
				d.kind = "-n"
			}
		case 'r':
			d.readOnly = on
		case 'g':
			d.local = false
		case 'a', 'A':
			d.kind = "-" + string(f)
		case 'p':
			d.print = true
		case 'f', 'F':
			d.functions = true
		}
	}
}

// textAssign makes an assignment of a word such as NAME=value.
func textAssign(w string) *syntax.Assign {
	name, value, ok := strings.Cut(w, "=")
	a := &syntax.Assign{Name: &syntax.Lit{Value: name}, Naked: !ok}
	if ok {
		a.Value = &syntax.Word{Parts: []syntax.WordPart{&syntax.SglQuoted{Value: value}}}
	}
	return a
}

func (sh *Shell) declareOne(d declaration, a *syntax.Assign) {
	name := a.Name.Value
	if !syntax.ValidName(name) {
		switch sh.dialect {
		case Bash:
			sh.builtinErrorf(d.name, "`%s': not a valid identifier", name)
			sh.status = 1
		default:
			sh.builtinErrorf(d.name, "%s: bad variable name", name)
			sh.status, sh.leaving = 2, leaveShell
		}
		return
	}
	if d.functions {
		sh.status = boolStatus(sh.funcs[name] != nil)
		return
	}
	if d.local {
		sh.makeLocal(name)
	}
	if !a.Naked && !sh.assignment(a, d.kind) {
		return
	}
	v, had := sh.vars.find(name)
	if d.print && a.Naked {
		if !had {
			sh.builtinErrorf(d.name, "%s: not found", name)
			sh.status = 1
			return
		}
		sh.printVariable(name, v)
		return
	}
	if a.Naked && !v.Set && d.kind != "" {
		v.Kind = map[string]expand.ValueKind{"-a": expand.Indexed, "-A": expand.Associative}[d.kind]
	}
	v.Exported = (v.Exported || d.export) && !d.unexport
	if d.readOnly {
		if v.ReadOnly && !a.Naked {
			return
		}
		v.ReadOnly = true
	}
	if v.Kind == expand.Unknown && !v.Set && !v.Declared() {
		return
	}
	at := sh.vars.home(name)
	if at.values == nil {
		at.values = make(map[string]expand.Variable)
	}
	if _, had := at.values[name]; !had {
		sh.hold(size(v))
	}
	at.values[name] = v
}

// makeLocal gives the running function a variable of its own.
func (sh *Shell) makeLocal(name string) {
	if sh.vars.values == nil {
		sh.vars.values = make(map[string]expand.Variable)
	}
	if _, ok := sh.vars.values[name]; !ok {
		sh.hold(variableCost)
		sh.vars.values[name] = expand.Variable{Local: true}
	}
}

func (sh *Shell) printVariable(name string, v expand.Variable) {
	flags := v.Flags()
	if flags == "" {
		flags = "-"
	}
	sh.large(int(size(v)))
	switch v.Kind {
	case expand.Indexed:
		var s strings.Builder
		for i, e := range v.List {
			k := i
			if v.Indexes != nil {
				k = v.Indexes[i]
			}
			fmt.Fprintf(&s, " [%d]=%q", k, e)
		}
		sh.outf("declare -%s %s=(%s)\n", flags, name, strings.TrimPrefix(s.String(), " "))
	case expand.Associative:
		var s strings.Builder
		for _, k := range slices.Sorted(maps.Keys(v.Map)) {
			fmt.Fprintf(&s, "[%s]=%q ", k, v.Map[k])
		}
		sh.outf("declare -%s %s=(%s)\n", flags, name, s.String())
	default:
		sh.outf("declare -%s %s=%q\n", flags, name, v.Str)
	}
}

func (sh *Shell) listVariables(d declaration) {
	all := sh.vars.all()
	names := slices.Collect(maps.Keys(all))
	sort.Strings(names)
	for _, name := range names {
		v := all[name]
		sh.large(int(size(v)))
		switch {
		case d.export && !v.Exported, d.readOnly && !v.ReadOnly, !v.Set, strings.HasPrefix(name, "\x00"):
		case sh.dialect == Bash:
			sh.printVariable(name, v)
		default:
			sh.outf("%s %s='%s'\n", d.name, name, strings.ReplaceAll(v.String(), "'", `'"'"'`))
		}
	}
}
