package awk

import (
	"github.com/benhoyt/goawk/lexer"
)

// callsMax bounds how deep functions call each other.
const callsMax = 500

// call is a call of a function that the program defines, or of one that busybox
// knows beside POSIX'.
func (p *parser) call(name string) *node {
	args := p.args()
	if f := extra(name); f != nil && p.funcs[name] == nil {
		return calc(func(in *interp) value { return f(in, values(in, args)) })
	}
	f := p.named(name)
	return calc(func(in *interp) value { return in.call(f, args) })
}

func (p *parser) args() []*node {
	before, noIn := p.print, p.noIn
	p.print, p.noIn = false, false
	defer func() { p.print, p.noIn = before, noIn }()
	p.expect(lexer.LPAREN)
	p.newlines()
	var args []*node
	if p.tok != lexer.RPAREN {
		args = p.list()
	}
	p.newlines()
	p.expect(lexer.RPAREN)
	return args
}

func values(in *interp, args []*node) []value {
	out := make([]value, len(args))
	for i, a := range args {
		out[i] = a.eval(in)
	}
	return out
}

// call calls a function. A bare name that is an array, or nothing yet, is given
// by reference.
func (in *interp) call(f *function, args []*node) value {
	if in.calls++; in.calls > callsMax {
		panic(runtimeError("function call nesting too deep"))
	}
	frame := make([]*cell, len(f.params))
	for i := range frame {
		frame[i] = &cell{}
		if i >= len(args) {
			continue
		}
		if args[i].cell != nil {
			if c := args[i].cell(in); c.arr != nil || c.v.kind == unset && c != in.globals[vNF] {
				frame[i].arr, frame[i].from = c.arr, c
				continue
			}
		}
		frame[i].v = args[i].eval(in)
		in.host.Charge(int64(len(frame[i].v.s)))
	}
	in.host.Charge(cellSize * int64(len(frame)))
	in.host.Step(2)
	outer := in.frame
	in.frame, in.result = frame, value{}
	how := f.body(in)
	in.frame = outer
	in.calls--
	for _, c := range frame {
		if c.arr != nil && c.from == nil {
			c.arr.clear(in)
		}
		in.host.Charge(-int64(len(c.v.s)) - cellSize)
	}
	if how == exits {
		panic(exitPanic{})
	}
	result := in.result
	in.result = value{}
	in.grow(len(result.s))
	return result
}

// exitPanic leaves the functions that an exit statement ends.
type exitPanic struct{}

// guard runs a statement, which a function that it calls may end.
func (in *interp) guard(s stmt) (how flow) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(exitPanic); !ok {
				panic(r)
			}
			in.calls, in.frame, how = 0, nil, exits
		}
	}()
	return s(in)
}
