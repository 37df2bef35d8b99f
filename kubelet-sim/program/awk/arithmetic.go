package awk

import (
	"math"

	"github.com/benhoyt/goawk/lexer"
)

// assigns returns what an assignment does with the old value, nil for nothing.
func assigns(t lexer.Token) (op func(a, b float64) float64, ok bool) {
	switch t {
	case lexer.ASSIGN:
		return nil, true
	case lexer.ADD_ASSIGN:
		return add, true
	case lexer.SUB_ASSIGN:
		return sub, true
	case lexer.MUL_ASSIGN:
		return mul, true
	case lexer.DIV_ASSIGN:
		return div, true
	case lexer.MOD_ASSIGN:
		return mod, true
	case lexer.POW_ASSIGN:
		return math.Pow, true
	}
	return nil, false
}

func add(a, b float64) float64 { return a + b }

func sub(a, b float64) float64 { return a - b }

func mul(a, b float64) float64 { return a * b }

func div(a, b float64) float64 {
	if b == 0 {
		panic(runtimeError("Division by zero"))
	}
	return a / b
}

// comparisons returns what a comparison wants to be told by compare.
func comparisons(t lexer.Token) (test func(int) bool, ok bool) {
	switch t {
	case lexer.EQUALS:
		return func(c int) bool { return c == 0 }, true
	case lexer.NOT_EQUALS:
		return func(c int) bool { return c != 0 }, true
	case lexer.LESS:
		return func(c int) bool { return c < 0 }, true
	case lexer.LTE:
		return func(c int) bool { return c <= 0 }, true
	case lexer.GREATER:
		return func(c int) bool { return c > 0 }, true
	case lexer.GTE:
		return func(c int) bool { return c >= 0 }, true
	}
	return nil, false
}

func mod(a, b float64) float64 {
	if b == 0 {
		panic(runtimeError("Division by zero"))
	}
	return math.Mod(a, b)
}

func arithmetic(a, b *node, op func(a, b float64) float64) *node {
	return calc(func(in *interp) value {
		x := a.eval(in).num()
		return num(op(x, b.eval(in).num()))
	})
}

func step(t lexer.Token) float64 {
	if t == lexer.DECR {
		return -1
	}
	return 1
}
