package shell

import (
	"maps"
	"slices"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// indexMax bounds the indexes of arrays.
const indexMax = 1 << 20

// assignment makes one NAME=value. kind is -a, -A or -n of declare. It is
// false if the shell must leave.
func (sh *Shell) assignment(a *syntax.Assign, kind string) bool {
	name := a.Name.Value
	v, _ := sh.vars.find(name)
	if v.Kind == expand.NameRef && kind != "-n" {
		if n, w := v.Resolve(environ{sh}); n != "" {
			name, v = n, w
		}
	}
	local := v.Local
	v.Local = false
	switch {
	case a.Array != nil:
		v = sh.arrayValue(a, v, kind)
	case a.Index != nil:
		v = sh.element(v, a.Index, func(old string) string {
			s := sh.literal(a.Value)
			if a.Append {
				return old + s
			}
			return s
		})
	default:
		v = sh.scalar(a, v)
		if kind == "-n" {
			v.Kind = expand.NameRef
		}
	}
	v.Set, v.Local = true, local && v.Local
	if sh.leaving != stay {
		return false
	}
	return sh.report(name, sh.assign(name, v))
}

func (sh *Shell) scalar(a *syntax.Assign, v expand.Variable) expand.Variable {
	s := sh.literal(a.Value)
	switch v.Kind {
	case expand.Indexed, expand.Associative:
		return sh.element(v, nil, func(old string) string {
			if a.Append {
				return old + s
			}
			return s
		})
	}
	if a.Append {
		s = v.Str + s
	}
	v.Kind, v.Str = expand.String, s
	return v
}

// element changes one element of an array. A nil index is that of element 0.
func (sh *Shell) element(v expand.Variable, index syntax.ArithmExpr, change func(old string) string) expand.Variable {
	sh.p.Step(1 + (len(v.List)+len(v.Map))/8)
	if v.Kind == expand.Associative {
		key := "0"
		if w, ok := index.(*syntax.Word); ok {
			key = sh.literal(w)
		}
		m := maps.Clone(v.Map)
		if m == nil {
			m = make(map[string]string)
		}
		m[key] = change(m[key])
		v.Map = m
		return v
	}
	n := 0
	if index != nil {
		n = sh.arithmetic(index)
	}
	if v.Kind == expand.Indexed && v.Indexes == nil && n >= 0 && n <= len(v.List) {
		return denseElement(v, n, change)
	}
	sh.p.Step(1 + len(v.List))
	elements := indexed(v)
	if n < 0 {
		n += maxIndex(elements) + 1
	}
	if n < 0 || n > indexMax {
		sh.errorf("bad array subscript")
		sh.status = 1
		return v
	}
	elements[n] = change(elements[n])
	return setIndexed(v, elements)
}

// denseElement changes an element of an array without gaps, or adds one to it.
// What others have of the list stays as it is.
func denseElement(v expand.Variable, n int, change func(old string) string) expand.Variable {
	if n == len(v.List) {
		v.List = append(v.List, change(""))
		return v
	}
	v.List = slices.Clone(v.List)
	v.List[n] = change(v.List[n])
	return v
}

// indexed returns the elements of an indexed array by index.
func indexed(v expand.Variable) map[int]string {
	m := make(map[int]string)
	switch v.Kind {
	case expand.String:
		m[0] = v.Str
	case expand.Indexed:
		for i, s := range v.List {
			if v.Indexes != nil {
				m[v.Indexes[i]] = s
			} else {
				m[i] = s
			}
		}
	}
	return m
}

func maxIndex(m map[int]string) int {
	n := -1
	for i := range m {
		n = max(n, i)
	}
	return n
}

func setIndexed(v expand.Variable, m map[int]string) expand.Variable {
	keys := slices.Sorted(maps.Keys(m))
	v.Kind, v.Str = expand.Indexed, ""
	v.List, v.Indexes = make([]string, len(keys)), nil
	dense := true
	for i, k := range keys {
		v.List[i] = m[k]
		dense = dense && k == i
	}
	if !dense {
		v.Indexes = keys
	}
	return v
}

func (sh *Shell) arrayValue(a *syntax.Assign, v expand.Variable, kind string) expand.Variable {
	sh.p.Step(1 + (len(v.List)+len(v.Map))/8)
	if kind == "-A" || v.Kind == expand.Associative && kind == "" {
		m := make(map[string]string)
		if a.Append {
			maps.Copy(m, v.Map)
		}
		for _, e := range a.Array.Elems {
			if w, ok := e.Index.(*syntax.Word); ok {
				m[sh.literal(w)] = sh.literal(e.Value)
			}
		}
		v.Kind, v.Map = expand.Associative, m
		return v
	}
	if a.Append && v.Kind == expand.Indexed && v.Indexes == nil && !slices.ContainsFunc(a.Array.Elems, func(e *syntax.ArrayElem) bool { return e.Index != nil }) {
		return sh.appended(a, v)
	}
	m := make(map[int]string)
	if a.Append {
		sh.p.Step(1 + len(v.List))
		m = indexed(v)
	}
	next := maxIndex(m) + 1
	for _, e := range a.Array.Elems {
		if e.Index != nil {
			if next = sh.arithmetic(e.Index); next < 0 || next > indexMax {
				sh.errorf("bad array subscript")
				break
			}
			m[next] = sh.literal(e.Value)
			next++
			continue
		}
		words, ok := sh.fields(e.Value)
		if !ok {
			break
		}
		for _, w := range words {
			m[next] = w
			next++
		}
	}
	return setIndexed(v, m)
}

// appended adds elements to an array without gaps.
func (sh *Shell) appended(a *syntax.Assign, v expand.Variable) expand.Variable {
	for _, e := range a.Array.Elems {
		words, ok := sh.fields(e.Value)
		if !ok {
			break
		}
		v.List = append(v.List, words...)
	}
	return v
}

func (sh *Shell) setList(name string, list []string) {
	_ = sh.assign(name, expand.Variable{Set: true, Kind: expand.Indexed, List: list})
}
