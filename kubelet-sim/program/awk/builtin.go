package awk

import (
	"math"
	"strings"
	"unicode/utf8"

	"github.com/benhoyt/goawk/lexer"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/match"
)

// builtin is a call of one of POSIX' functions.
func (p *parser) builtin() *node {
	t := p.tok
	p.next()
	var args []*node
	if p.tok == lexer.LPAREN || t != lexer.F_LENGTH {
		args = p.args()
	}
	if least, most := arity(t); len(args) < least || len(args) > most {
		p.fail("wrong number of arguments of %s", t)
	}
	switch t {
	case lexer.F_LENGTH:
		return length(args)
	case lexer.F_SUB, lexer.F_GSUB:
		return p.substitute(args, t == lexer.F_GSUB)
	case lexer.F_MATCH:
		return matchCall(args)
	case lexer.F_SPLIT:
		return p.splitCall(args)
	}
	f := plain(t)
	return calc(func(in *interp) value { return f(in, values(in, args)) })
}

// arity is how few and how many arguments a function takes.
func arity(t lexer.Token) (least, most int) {
	switch t {
	case lexer.F_RAND:
		return 0, 0
	case lexer.F_FFLUSH, lexer.F_LENGTH, lexer.F_SRAND:
		return 0, 1
	case lexer.F_CLOSE:
		return 1, 2
	case lexer.F_SPRINTF:
		return 1, 1 << 20
	case lexer.F_ATAN2, lexer.F_INDEX, lexer.F_MATCH:
		return 2, 2
	case lexer.F_GSUB, lexer.F_SPLIT, lexer.F_SUB, lexer.F_SUBSTR:
		return 2, 3
	}
	return 1, 1
}

// plain is a function whose arguments are just values.
func plain(t lexer.Token) func(*interp, []value) value {
	switch t {
	case lexer.F_ATAN2:
		return func(_ *interp, a []value) value { return num(math.Atan2(a[0].num(), a[1].num())) }
	case lexer.F_COS:
		return func(_ *interp, a []value) value { return num(math.Cos(a[0].num())) }
	case lexer.F_SIN:
		return func(_ *interp, a []value) value { return num(math.Sin(a[0].num())) }
	case lexer.F_EXP:
		return func(_ *interp, a []value) value { return num(math.Exp(a[0].num())) }
	case lexer.F_LOG:
		return func(_ *interp, a []value) value { return num(math.Log(a[0].num())) }
	case lexer.F_SQRT:
		return func(_ *interp, a []value) value { return num(math.Sqrt(a[0].num())) }
	case lexer.F_INT:
		return func(_ *interp, a []value) value { return num(math.Trunc(a[0].num())) }
	case lexer.F_RAND:
		return func(in *interp, _ []value) value { return num(in.rand()) }
	case lexer.F_SRAND:
		return func(in *interp, a []value) value {
			old := in.seed
			in.seed = uint64(in.host.Now().Unix())
			if len(a) > 0 {
				in.seed = uint64(int64(a[0].num()))
			}
			in.random = in.seed
			return num(float64(old))
		}
	case lexer.F_INDEX:
		return func(in *interp, a []value) value {
			s := in.toStr(a[0])
			in.host.Step(len(s) / 256)
			what := in.toStr(a[1])
			at := strings.Index(s, what)
			if at < 0 || what == "" {
				return num(0)
			}
			return num(float64(utf8.RuneCountInString(s[:at]) + 1))
		}
	case lexer.F_SUBSTR:
		return func(in *interp, a []value) value {
			s, from, n := in.toStr(a[0]), bounded(a[1].num())-1, len(in.toStr(a[0]))
			if len(a) > 2 {
				n = bounded(a[2].num())
			}
			in.host.Step(len(s) / 256)
			return str(cut(s, max(from, 0), max(n, 0)))
		}
	case lexer.F_TOLOWER:
		return func(in *interp, a []value) value {
			s := in.toStr(a[0])
			in.grow(len(s))
			return str(strings.ToLower(s))
		}
	case lexer.F_TOUPPER:
		return func(in *interp, a []value) value {
			s := in.toStr(a[0])
			in.grow(len(s))
			return str(strings.ToUpper(s))
		}
	case lexer.F_SPRINTF:
		return func(in *interp, a []value) value { return str(in.sprintf(in.toStr(a[0]), a[1:])) }
	case lexer.F_SYSTEM:
		return func(in *interp, a []value) value { return num(float64(in.host.Shell(in.toStr(a[0]), nil, nil, 0))) }
	case lexer.F_CLOSE:
		return func(in *interp, a []value) value { return num(float64(in.close(in.toStr(a[0])))) }
	case lexer.F_FFLUSH:
		return func(*interp, []value) value { return num(0) }
	}
	return nil
}

// bounded is a number of characters.
func bounded(n float64) int { return int(max(min(n, 1e9), -1e9)) }

// extra is a function of busybox beside POSIX'; nil if it has none of the name.
func extra(name string) func(*interp, []value) value {
	switch name {
	case "systime":
		return func(in *interp, _ []value) value { return num(float64(in.host.Now().Unix())) }
	case "and":
		return bits(func(a, b uint64) uint64 { return a & b })
	case "or":
		return bits(func(a, b uint64) uint64 { return a | b })
	case "xor":
		return bits(func(a, b uint64) uint64 { return a ^ b })
	case "lshift":
		return bits(func(a, b uint64) uint64 { return a << b })
	case "rshift":
		return bits(func(a, b uint64) uint64 { return a >> b })
	case "compl":
		return bits(func(a, _ uint64) uint64 { return ^a & (1<<32 - 1) })
	}
	return nil
}

func bits(f func(a, b uint64) uint64) func(*interp, []value) value {
	return func(_ *interp, a []value) value {
		a = append(a, value{}, value{})
		return num(float64(f(uint64(a[0].num()), uint64(a[1].num()))))
	}
}

// rand is the next number of splitmix64, from 0 to 1.
func (in *interp) rand() float64 {
	in.random += 0x9e3779b97f4a7c15
	z := in.random
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return float64((z^z>>31)>>11) / (1 << 53)
}

func length(args []*node) *node {
	return calc(func(in *interp) value {
		if len(args) == 0 {
			s := in.line()
			in.host.Step(len(s) / 256)
			return num(float64(utf8.RuneCountInString(s)))
		}
		if args[0].cell != nil {
			if c := args[0].cell(in); c.arr != nil {
				return num(float64(len(c.arr.values)))
			}
		}
		s := in.toStr(args[0].eval(in))
		in.host.Step(len(s) / 256)
		return num(float64(utf8.RuneCountInString(s)))
	})
}

func matchCall(args []*node) *node {
	return calc(func(in *interp) value {
		s := in.toStr(args[0].eval(in))
		start, size := 0, -1
		if at := in.regexOf(args[1]).Find(in.host, s, 0, 0); at != nil {
			in.host.Step(at[1] / 256)
			start, size = utf8.RuneCountInString(s[:at[0]])+1, utf8.RuneCountInString(s[at[0]:at[1]])
		}
		in.globals[vRSTART].v, in.globals[vRLENGTH].v = num(float64(start)), num(float64(size))
		return num(float64(start))
	})
}

func (p *parser) splitCall(args []*node) *node {
	if args[1].cell == nil {
		p.fail("split needs an array")
	}
	return calc(func(in *interp) value {
		s := in.toStr(args[0].eval(in))
		var re *match.Regexp
		fs := in.text(vFS)
		if len(args) > 2 {
			if args[2].re != nil {
				re = args[2].re
			} else {
				fs = in.toStr(args[2].eval(in))
			}
		}
		a := in.array(args[1].cell(in))
		a.clear(in)
		parts := in.splitText(nil, s, fs, re)
		for i, part := range parts {
			in.host.Step(1)
			a.put(in, num(float64(i+1)).str(""), input(part))
		}
		return num(float64(len(parts)))
	})
}

// substitute is sub and gsub.
func (p *parser) substitute(args []*node, global bool) *node {
	target := &node{eval: func(in *interp) value { return str(in.line()) }, set: func(in *interp, v value) { in.setRecord(v.s) }}
	if len(args) > 2 {
		target = args[2]
	}
	return calc(func(in *interp) value {
		re, with := in.regexOf(args[0]), in.toStr(args[1].eval(in))
		s := in.toStr(target.eval(in))
		var out []byte
		rest, matches := 0, 0
		uses := strings.Count(with, "&")
		re.All(in.host, s, 0, func(at []int) bool {
			matches++
			in.grow(at[0] - rest + len(with) + uses*(at[1]-at[0]))
			in.host.Step(1)
			out = appendReplacement(append(out, s[rest:at[0]]...), with, s[at[0]:at[1]])
			rest = at[1]
			return global
		})
		if matches == 0 {
			return num(0)
		}
		in.grow(len(out) + len(s) - rest)
		if target.set != nil {
			target.set(in, str(string(append(out, s[rest:]...))))
		}
		return num(float64(matches))
	})
}

// appendReplacement appends what replaces a match: & is the match, \& is &.
func appendReplacement(out []byte, with, match string) []byte {
	for i := 0; i < len(with); i++ {
		switch {
		case with[i] == '\\' && i+1 < len(with) && (with[i+1] == '&' || with[i+1] == '\\'):
			i++
			out = append(out, with[i])
		case with[i] == '&':
			out = append(out, match...)
		default:
			out = append(out, with[i])
		}
	}
	return out
}
