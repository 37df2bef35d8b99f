package shell

import (
	"maps"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

func (sh *Shell) sortedValues(v expand.Variable) []string {
	sh.p.Work(32 * len(v.Map))
	return slices.Sorted(maps.Values(v.Map))
}

// joined makes one string of elements.
func (sh *Shell) joined(e *expansion, list []string) string {
	separator := " "
	if e.all == "*" || e.pe.Names == syntax.NamesPrefix {
		ifs := sh.separators()
		separator = ifs.first
	}
	n := 0
	for _, s := range list {
		n += len(s) + 1
	}
	sh.large(n)
	return strings.Join(list, separator)
}

// keys are the indexes of an array.
func (sh *Shell) keys(v expand.Variable) []string {
	if v.Kind == expand.Associative {
		sh.p.Work(32 * len(v.Map))
		return slices.Sorted(maps.Keys(v.Map))
	}
	keys := make([]string, len(v.List))
	for i := range keys {
		keys[i] = itoa(i)
		if v.Indexes != nil {
			keys[i] = itoa(v.Indexes[i])
		}
	}
	return keys
}

func (sh *Shell) namesWith(prefix string) []string {
	sh.p.Work(64 * sh.vars.count())
	var names []string
	for name := range sh.vars.all() {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// unquotedElements are those of $*, $@ and ${a[@]} without operators, one field
// each; list is false for what else there is.
func (sh *Shell) unquotedElements(pe *syntax.ParamExp) (elements []string, list bool, err error) {
	if pe.Excl || pe.Length || pe.Repl != nil || pe.Exp != nil {
		return nil, false, nil
	}
	return sh.elements(pe)
}

// elements are those of "$@" and ${a[@]}, with their slice.
func (sh *Shell) elements(pe *syntax.ParamExp) (elements []string, list bool, err error) {
	if pe.Param == nil {
		return nil, false, nil
	}
	name, lit := pe.Param.Value, nodeLit(pe.Index)
	if name != "@" && name != "*" && lit != "@" && lit != "*" {
		return nil, false, nil
	}
	e, err := sh.begin(pe, bare)
	if err != nil {
		return nil, false, err
	}
	switch e.v.Kind {
	case expand.Indexed:
		elements, err = sh.sliced(e, e.v.List)
		return elements, true, err
	case expand.Associative:
		return sh.sortedValues(e.v), true, nil
	case expand.Unknown:
		return nil, !e.v.IsSet(), nil
	}
	return nil, false, nil
}

// quotedElements are the fields of "${…}"; list is false if it is always one.
func (sh *Shell) quotedElements(pe *syntax.ParamExp) (elements []string, list bool, err error) {
	if pe.Param == nil || pe.Length || pe.Width || pe.IsSet {
		return nil, false, nil
	}
	if pe.Excl {
		switch {
		case pe.Names == syntax.NamesPrefixWords:
			return sh.namesWith(pe.Param.Value), true, nil
		case pe.Names == 0 && nodeLit(pe.Index) == "@":
			if v := (environ{sh}).Get(pe.Param.Value); v.Kind == expand.Indexed || v.Kind == expand.Associative {
				return sh.keys(v), true, nil
			}
		}
		return nil, false, nil
	}
	if pe.Exp != nil && !changes(pe.Exp.Op) {
		if name := pe.Param.Value; name != "@" && nodeLit(pe.Index) != "@" {
			return nil, false, nil
		}
	}
	elements, list, err = sh.elements(pe)
	if !list || err != nil {
		return nil, list, err
	}
	e := &expansion{pe: pe, q: inDouble, all: nodeLit(pe.Index)}
	if name := pe.Param.Value; name == "@" || name == "*" {
		e.all = name
	}
	switch {
	case pe.Exp != nil && !changes(pe.Exp.Op):
		if len(elements) == 0 || len(elements) == 1 && elements[0] == "" {
			return nil, false, nil // ${@:-word}
		}
	case pe.Repl != nil || pe.Exp != nil:
		if elements, err = sh.change(e, elements); err != nil {
			return nil, true, err
		}
	}
	if e.all == "*" {
		return []string{sh.joined(e, elements)}, true, nil
	}
	return elements, true, nil
}
