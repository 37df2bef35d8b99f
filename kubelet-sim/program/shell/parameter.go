package shell

import (
	"errors"
	"slices"
	"strconv"
	"unicode/utf8"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// What may be wrong with ${…}, in the words of bash.
var (
	errUnsupported = errors.New("bad substitution")
	errIndirect    = errors.New("invalid indirect expansion")
	errSubscript   = errors.New("negative array index")
)

// unsetError says that a parameter is not set which must be, and why.
type unsetError struct{ name, text string }

func (e *unsetError) Error() string { return e.name + ": " + e.text }

// expansion is one ${…} with what it is about.
type expansion struct {
	pe    *syntax.ParamExp
	name  string
	v     expand.Variable
	named expand.Variable // before a reference was followed
	all   string          // @ or *: all of an array
	q     quoting
}

// begin looks the parameter up.
func (sh *Shell) begin(pe *syntax.ParamExp, q quoting) (*expansion, error) {
	if pe.Param == nil || pe.Width || pe.IsSet {
		return nil, errUnsupported
	}
	e := &expansion{pe: pe, name: pe.Param.Value, q: q}
	switch lit := nodeLit(pe.Index); {
	case e.name == "@" || e.name == "*":
		e.all = e.name
	case lit == "@" || lit == "*":
		e.all = lit
	}
	if e.name == "LINENO" {
		e.v = str(strconv.Itoa(int(pe.Pos().Line())))
	} else {
		e.v = environ{sh}.Get(e.name)
	}
	e.named = e.v
	if name, v := e.v.Resolve(environ{sh}); name != "" {
		e.name, e.v = name, v
	}
	if sh.opts.nounset && !e.v.IsSet() && !mayBeUnset(pe) {
		return nil, &unsetError{pe.Param.Value, "unbound variable"}
	}
	return e, nil
}

// mayBeUnset tells whether ${…} says what to do with a parameter that is not set.
func mayBeUnset(pe *syntax.ParamExp) bool {
	if pe.Exp == nil {
		return false
	}
	switch pe.Exp.Op {
	case syntax.AlternateUnset, syntax.AlternateUnsetOrNull, syntax.DefaultUnset, syntax.DefaultUnsetOrNull,
		syntax.ErrorUnset, syntax.ErrorUnsetOrNull, syntax.AssignUnset, syntax.AssignUnsetOrNull:
		return true
	}
	return false
}

// parameter expands ${…} to one string.
func (sh *Shell) parameter(pe *syntax.ParamExp, q quoting) (string, error) {
	if pe.Short && pe.Index == nil { // $x, the most of them
		if s, ok := sh.plain(pe.Param.Value); ok {
			return s, nil
		}
	}
	e, err := sh.begin(pe, q)
	if err != nil {
		return "", err
	}
	value, set, err := sh.valueOf(e)
	if err != nil {
		return "", err
	}
	sh.large(len(value))
	switch {
	case pe.Length:
		return sh.lengthOf(e, value), nil
	case pe.Excl:
		return sh.indirect(e, value)
	case pe.Slice != nil:
		return sh.slice(e, value)
	case pe.Repl != nil, pe.Exp != nil && changes(pe.Exp.Op):
		elements := []string{value}
		if e.all != "" && e.v.Kind == expand.Indexed {
			elements = e.v.List
		}
		if elements, err = sh.change(e, elements); err != nil {
			return "", err
		}
		return sh.joined(e, elements), nil
	case pe.Exp != nil && pe.Exp.Op == syntax.OtherParamOps:
		return sh.transform(e, value)
	case pe.Exp != nil:
		return sh.instead(e, value, set)
	}
	return value, nil
}

// plain is the value of a string variable.
func (sh *Shell) plain(name string) (string, bool) {
	if name == "LINENO" {
		return "", false
	}
	v := environ{sh}.Get(name)
	if v.Kind != expand.String || !v.Set {
		return "", false
	}
	sh.large(len(v.Str))
	return v.Str, true
}

// valueOf is the parameter's value, or that of the element which is meant.
func (sh *Shell) valueOf(e *expansion) (s string, set bool, err error) {
	if e.all != "" && e.v.Kind == expand.Indexed {
		list, err := sh.sliced(e, e.v.List)
		return sh.joined(e, list), len(list) > 0, err
	}
	set = e.v.IsSet()
	index := e.pe.Index
	switch {
	case e.all != "" && e.v.Kind == expand.Associative:
		return sh.joined(e, sh.sortedValues(e.v)), set, nil
	case e.all != "" && e.v.Kind == expand.Unknown:
		return "", false, nil
	case e.all != "" && e.v.Kind == expand.String:
		return e.v.Str, set, nil
	case e.v.Kind == expand.Associative:
		key := "0"
		if w, ok := index.(*syntax.Word); ok {
			if key, err = sh.text(w, bare); err != nil {
				return "", false, err
			}
		}
		s, set = e.v.Map[key]
		return s, set, nil
	case index == nil:
		if e.v.Kind == expand.Indexed {
			s, set = elementOf(e.v, 0)
			return s, set, nil
		}
		return e.v.String(), set, nil
	}
	i, err := sh.compute(index)
	if err != nil {
		return "", false, err
	}
	switch e.v.Kind {
	case expand.String:
		if i == 0 || i == -1 {
			return e.v.Str, set, nil
		}
	case expand.Indexed:
		if i < 0 {
			if i += maxOf(e.v) + 1; i < 0 {
				return "", false, errSubscript
			}
		}
		s, set = elementOf(e.v, i)
		return s, set, nil
	}
	return "", false, nil
}

// elementOf is the element at an index.
func elementOf(v expand.Variable, i int) (string, bool) {
	if v.Indexes != nil {
		at, ok := slices.BinarySearch(v.Indexes, i)
		if !ok {
			return "", false
		}
		return v.List[at], true
	}
	if i < 0 || i >= len(v.List) {
		return "", false
	}
	return v.List[i], true
}

// maxOf is the last index of an array.
func maxOf(v expand.Variable) int {
	if len(v.Indexes) > 0 {
		return v.Indexes[len(v.Indexes)-1]
	}
	return len(v.List) - 1
}

func (sh *Shell) lengthOf(e *expansion, value string) string {
	if e.all == "" {
		return itoa(utf8.RuneCountInString(value))
	}
	switch e.v.Kind {
	case expand.Indexed:
		return itoa(len(e.v.List))
	case expand.Associative:
		return itoa(len(e.v.Map))
	}
	if e.v.IsSet() {
		return "1"
	}
	return "0"
}

// indirect is ${!x}, ${!x[@]} and ${!prefix*}.
func (sh *Shell) indirect(e *expansion, value string) (string, error) {
	switch {
	case e.pe.Names != 0:
		return sh.joined(e, sh.namesWith(e.pe.Param.Value)), nil
	case e.named.Kind == expand.NameRef:
		return e.named.Str, nil
	case e.pe.Index != nil && (e.v.Kind == expand.Indexed || e.v.Kind == expand.Associative):
		return sh.joined(e, sh.keys(e.v)), nil
	case !e.v.IsSet():
		return "", errIndirect
	case value == "":
		return "", nil
	}
	v := environ{sh}.Get(value)
	sh.large(len(v.Str))
	return v.String(), nil
}

// instead is ${x:-y} and its like.
func (sh *Shell) instead(e *expansion, value string, set bool) (string, error) {
	op := e.pe.Exp.Op
	word := func() (string, error) { return sh.operand(e.pe.Exp.Word, e.q) }
	switch op {
	case syntax.AlternateUnset, syntax.AlternateUnsetOrNull:
		if set && (value != "" || op == syntax.AlternateUnset) {
			return word()
		}
		return "", nil
	}
	null := op == syntax.DefaultUnsetOrNull || op == syntax.ErrorUnsetOrNull || op == syntax.AssignUnsetOrNull
	if set && (value != "" || !null) {
		return value, nil
	}
	arg, err := word()
	if err != nil {
		return "", err
	}
	switch op {
	case syntax.ErrorUnset, syntax.ErrorUnsetOrNull:
		return "", &unsetError{e.pe.Param.Value, arg}
	case syntax.AssignUnset, syntax.AssignUnsetOrNull:
		if err := sh.assignElement(e, arg); err != nil {
			return "", err
		}
	}
	return arg, nil
}

// otherWord is the word that ${x-word} and ${x+word} stand for, nil for none. It is
// false if they stand for the parameter, or are something else.
func (sh *Shell) otherWord(pe *syntax.ParamExp) (*syntax.Word, bool, error) {
	if pe.Exp == nil || pe.Length || pe.Excl {
		return nil, false, nil
	}
	op := pe.Exp.Op
	alternate := op == syntax.AlternateUnset || op == syntax.AlternateUnsetOrNull
	if !alternate && op != syntax.DefaultUnset && op != syntax.DefaultUnsetOrNull {
		return nil, false, nil
	}
	e, err := sh.begin(pe, bare)
	if err != nil {
		return nil, false, err
	}
	value, set, err := sh.valueOf(e)
	if err != nil {
		return nil, false, err
	}
	null := op == syntax.AlternateUnsetOrNull || op == syntax.DefaultUnsetOrNull
	switch there := set && (value != "" || !null); {
	case there == alternate:
		return pe.Exp.Word, true, nil
	case alternate:
		return nil, true, nil
	}
	return nil, false, nil
}

// operand is a word within ${…}, which is quoted as all of it is.
func (sh *Shell) operand(w *syntax.Word, q quoting) (string, error) {
	if q == asPattern {
		q = bare
	}
	return sh.text(w, q)
}

// assignElement is what ${x=y} does.
func (sh *Shell) assignElement(e *expansion, value string) error {
	if e.all == "" && e.pe.Index == nil && e.v.Kind != expand.Indexed && e.v.Kind != expand.Associative {
		if !syntax.ValidName(e.name) {
			return &unsetError{e.name, "cannot assign in this way"}
		}
		return sh.assign(e.name, str(value))
	}
	index := e.pe.Index
	if e.all != "" {
		index = nil
	}
	v := sh.element(e.v, index, func(string) string { return value })
	if sh.leaving != stay {
		return errLeaving
	}
	v.Set = true
	return sh.assign(e.name, v)
}
