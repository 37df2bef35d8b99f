package shell

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"mvdan.cc/sh/v3/syntax"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/match"
)

// changes tells whether an operator changes every element.
func changes(op syntax.ParExpOperator) bool {
	switch op {
	case syntax.RemSmallPrefix, syntax.RemLargePrefix, syntax.RemSmallSuffix, syntax.RemLargeSuffix,
		syntax.UpperFirst, syntax.UpperAll, syntax.LowerFirst, syntax.LowerAll:
		return true
	}
	return false
}

// change applies ${x#p}, ${x%p}, ${x/p/r}, ${x^p}, ${x,p} and their like.
func (sh *Shell) change(e *expansion, list []string) ([]string, error) {
	word := e.pe.Exp
	var pattern *syntax.Word
	if word != nil {
		pattern = word.Word
	} else {
		pattern = e.pe.Repl.Orig
	}
	text, err := sh.text(pattern, asPattern)
	if err != nil {
		return nil, err
	}
	if e.pe.Repl != nil && text == "" {
		return list, nil // nothing to replace
	}
	if word != nil && text == "" && recases(word.Op) {
		text = "?"
	}
	anchor := byte(0)
	if e.pe.Repl != nil && sh.dialect == Bash {
		text, anchor = anchored(e.pe.Repl, text)
	}
	glob, err := match.CompileGlob(sh.p, text, false)
	if err != nil {
		return list, nil // it matches nothing
	}
	with := ""
	if e.pe.Repl != nil {
		if with, err = sh.text(e.pe.Repl.With, bare); err != nil {
			return nil, err
		}
	}
	out, size := make([]string, len(list)), 0
	for i, s := range list {
		sh.p.Work(32)
		switch {
		case e.pe.Repl != nil:
			if out[i], err = sh.replaced(sh.places(glob, s, anchor), s, with, e.pe.Repl.All); err != nil {
				return nil, err
			}
		case recases(word.Op):
			out[i] = sh.recased(glob, s, word.Op)
		default:
			out[i] = sh.removed(glob, s, word.Op)
		}
		if size += len(out[i]) + 16; size > drawnMax {
			return nil, errTooLarge
		}
	}
	return out, nil
}

// recases tells whether an operator changes upper and lower case.
func recases(op syntax.ParExpOperator) bool {
	return op == syntax.UpperFirst || op == syntax.UpperAll || op == syntax.LowerFirst || op == syntax.LowerAll
}

func (sh *Shell) removed(g *match.Glob, s string, op syntax.ParExpOperator) string {
	switch op {
	case syntax.RemSmallPrefix, syntax.RemLargePrefix:
		if at := g.Prefix(sh.p, s, op == syntax.RemLargePrefix); at >= 0 {
			return s[at:]
		}
	default:
		if at := g.Suffix(sh.p, s, op == syntax.RemLargeSuffix); at >= 0 {
			return s[:at]
		}
	}
	return s
}

// anchored takes the # or % off the pattern of ${x/#p/r} and ${x/%p/r}, which
// matches at the beginning or at the end.
func anchored(r *syntax.Replace, pattern string) (rest string, anchor byte) {
	if lit, ok := r.Orig.Parts[0].(*syntax.Lit); ok && !r.All && lit.Value != "" && strings.IndexByte("#%", lit.Value[0]) >= 0 {
		return pattern[1:], pattern[0]
	}
	return pattern, 0
}

// places returns what calls do for the places in s where a pattern matches.
func (sh *Shell) places(g *match.Glob, s string, anchor byte) func(do func(start, end int) bool) {
	return func(do func(start, end int) bool) {
		switch anchor {
		case '#':
			if end := g.Prefix(sh.p, s, true); end >= 0 {
				do(0, end)
			}
		case '%':
			if start := g.Suffix(sh.p, s, true); start >= 0 {
				do(start, len(s))
			}
		default:
			g.All(sh.p, s, do)
		}
	}
}

func (sh *Shell) replaced(places func(func(start, end int) bool), s, with string, all bool) (string, error) {
	var out strings.Builder
	last, found, tooLarge := 0, false, false
	places(func(start, end int) bool {
		sh.p.Work(16 + start - last + len(with))
		out.WriteString(s[last:start])
		out.WriteString(with)
		last, found = end, true
		tooLarge = out.Len() > valueMax
		return all && !tooLarge
	})
	switch {
	case tooLarge || out.Len()+len(s)-last > valueMax:
		return "", errTooLarge
	case !found:
		return s, nil
	}
	out.WriteString(s[last:])
	return out.String(), nil
}

// recased changes the case of the characters that a pattern matches.
func (sh *Shell) recased(g *match.Glob, s string, op syntax.ParExpOperator) string {
	to := unicode.ToUpper
	if op == syntax.LowerFirst || op == syntax.LowerAll {
		to = unicode.ToLower
	}
	var out strings.Builder
	next := kernel.PieceMax
	for i, c := range s {
		if i >= next {
			sh.p.Work(16 * kernel.PieceMax)
			next += kernel.PieceMax
		}
		if i > 0 && (op == syntax.UpperFirst || op == syntax.LowerFirst) {
			out.WriteString(s[i:])
			break
		}
		_, width := utf8.DecodeRuneInString(s[i:])
		if one := s[i : i+width]; g.Match(sh.p, one) {
			out.WriteRune(to(c))
		} else {
			out.WriteString(one)
		}
	}
	return out.String()
}

// slice is ${x:offset:length}, in characters.
func (sh *Shell) slice(e *expansion, s string) (string, error) {
	if e.all != "" && e.v.List != nil {
		return s, nil // valueOf has done it
	}
	n := utf8.RuneCountInString(s)
	from, to, err := sh.bounds(e, n)
	if err != nil {
		return "", err
	}
	if n == len(s) {
		return s[from:to], nil
	}
	start, end, at := len(s), len(s), 0
	for i := range s {
		if at == from {
			start = i
		}
		if at == to {
			end = i
			break
		}
		at++
	}
	return s[min(start, end):end], nil
}

// bounds are those of a slice of n characters or elements.
func (sh *Shell) bounds(e *expansion, n int) (from, to int, err error) {
	place := func(i int) int {
		if i < 0 {
			if i += n; i < 0 {
				i = n
			}
		}
		return min(i, n)
	}
	to = n
	if x := e.pe.Slice.Offset; x != nil {
		i, err := sh.compute(x)
		if err != nil {
			return 0, 0, err
		}
		from = place(i)
	}
	if x := e.pe.Slice.Length; x != nil {
		i, err := sh.compute(x)
		if err != nil {
			return 0, 0, err
		}
		n -= from
		to = from + place(i)
	}
	return from, to, nil
}

// sliced is ${@:offset:length} and ${a[@]:offset:length}. The positional parameters
// count from $0 on, a sparse array by its indexes.
func (sh *Shell) sliced(e *expansion, list []string) ([]string, error) {
	if e.pe.Slice == nil {
		return list, nil
	}
	sh.p.Work(16 * len(list))
	if name := e.pe.Param.Value; name == "@" || name == "*" {
		list = append([]string{sh.name}, list...)
	}
	if x := e.pe.Slice.Offset; x != nil && len(e.v.Indexes) > 0 {
		i, err := sh.compute(x)
		if err != nil {
			return nil, err
		}
		if last := e.v.Indexes[len(e.v.Indexes)-1] + 1; i < 0 {
			if i += last; i < 0 {
				i = last
			}
		}
		at, _ := slices.BinarySearch(e.v.Indexes, i)
		list = list[at:]
		if x := e.pe.Slice.Length; x != nil {
			n, err := sh.compute(x)
			if err != nil {
				return nil, err
			}
			if n < 0 {
				n = max(len(list)+n, 0)
			}
			list = list[:min(n, len(list))]
		}
		return list, nil
	}
	from, to, err := sh.bounds(e, len(list))
	if err != nil {
		return nil, err
	}
	return list[from:to], nil
}

// transform is ${x@Q} and its like.
func (sh *Shell) transform(e *expansion, s string) (string, error) {
	op, err := sh.text(e.pe.Exp.Word, bare)
	if err != nil {
		return "", err
	}
	sh.large(4 * len(s))
	switch op {
	case "Q":
		return syntax.Quote(s, syntax.LangBash)
	case "E":
		return unquoteEscapes(s), nil
	case "a":
		return e.named.Flags(), nil
	case "A":
		quoted, err := syntax.Quote(s, syntax.LangBash)
		if flags := e.named.Flags(); flags != "" {
			return fmt.Sprintf("declare -%s %s=%s", flags, e.name, quoted), err
		}
		return e.name + "=" + quoted, err
	case "U":
		return strings.ToUpper(s), nil
	case "u":
		c, width := utf8.DecodeRuneInString(s)
		if width == 0 {
			return s, nil
		}
		return string(unicode.ToUpper(c)) + s[width:], nil
	case "L":
		return strings.ToLower(s), nil
	}
	return s, nil
}

func unquoteEscapes(s string) string {
	var out strings.Builder
	for s != "" {
		c, _, rest, err := strconv.UnquoteChar(s, 0)
		if err != nil {
			c, rest = rune(s[0]), s[1:]
		}
		out.WriteRune(c)
		s = rest
	}
	return out.String()
}
