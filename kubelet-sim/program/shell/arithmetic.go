package shell

import (
	"errors"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// What may be wrong with an arithmetic expression.
var (
	errDivision = errors.New("division by zero")
	errExponent = errors.New("exponent less than 0")
)

// referenceMax bounds the variables that name each other.
const referenceMax = 100

// compute evaluates an arithmetic expression.
func (sh *Shell) compute(x syntax.ArithmExpr) (int, error) {
	if n := int(x.End().Offset()) - int(x.Pos().Offset()); n > largeWord {
		sh.p.Work(16 * n)
	}
	return sh.evaluate(x)
}

func (sh *Shell) evaluate(x syntax.ArithmExpr) (int, error) {
	switch x := x.(type) {
	case *syntax.Word:
		return sh.wordNumber(x)
	case *syntax.ParenArithm:
		return sh.evaluate(x.X)
	case *syntax.UnaryArithm:
		return sh.unary(x)
	case *syntax.BinaryArithm:
		return sh.binaryNumber(x)
	}
	return 0, errUnsupported
}

// wordNumber is a number, or a variable that has one, or the name of one that has.
func (sh *Shell) wordNumber(w *syntax.Word) (int, error) {
	s, err := sh.text(w, bare)
	if err != nil {
		return 0, err
	}
	for range referenceMax {
		if !syntax.ValidName(s) {
			break
		}
		v := sh.get(s)
		if v == "" {
			break
		}
		s = v
	}
	sh.large(len(s))
	return int(parseNumber(s)), nil
}

// numberOf is the value of a variable.
func (sh *Shell) numberOf(name string) int64 { return parseNumber(sh.get(name)) }

func (sh *Shell) setNumber(name string, n int64) error {
	v, _ := sh.vars.find(name)
	v.Set, v.Kind, v.Str = true, expand.String, strconv.FormatInt(n, 10)
	v.Local = false
	return sh.assign(name, v)
}

func (sh *Shell) unary(x *syntax.UnaryArithm) (int, error) {
	if x.Op == syntax.Inc || x.Op == syntax.Dec {
		by := int64(1)
		if x.Op == syntax.Dec {
			by = -1
		}
		old, err := sh.update(x.X, func(old int64) (int64, error) { return old + by, nil })
		if x.Post {
			return int(old), err
		}
		return int(old + by), err
	}
	n, err := sh.evaluate(x.X)
	if err != nil {
		return 0, err
	}
	switch x.Op {
	case syntax.Not:
		return oneIf(n == 0), nil
	case syntax.BitNegation:
		return ^n, nil
	case syntax.Plus:
		return n, nil
	case syntax.Minus:
		return -n, nil
	}
	return 0, errUnsupported
}

// update gives a variable, or an element of an array, a new value, and returns the
// one before.
func (sh *Shell) update(x syntax.ArithmExpr, change func(old int64) (int64, error)) (int64, error) {
	w, ok := x.(*syntax.Word)
	if !ok {
		return 0, errUnsupported
	}
	if pe := indexedOperand(w); pe != nil {
		return sh.updateElement(pe, change)
	}
	name := w.Lit()
	old := sh.numberOf(name)
	n, err := change(old)
	if err != nil {
		return 0, err
	}
	return old, sh.setNumber(name, n)
}

// indexedOperand is a[i] among the operands of an expression; nil if w is none.
func indexedOperand(w *syntax.Word) *syntax.ParamExp {
	if len(w.Parts) != 1 {
		return nil
	}
	pe, ok := w.Parts[0].(*syntax.ParamExp)
	if !ok || pe.Index == nil || pe.Param == nil {
		return nil
	}
	return pe
}

func (sh *Shell) updateElement(pe *syntax.ParamExp, change func(old int64) (int64, error)) (int64, error) {
	e, err := sh.begin(pe, bare)
	if err != nil {
		return 0, err
	}
	s, _, err := sh.valueOf(e)
	if err != nil {
		return 0, err
	}
	old := parseNumber(s)
	n, err := change(old)
	if err != nil {
		return 0, err
	}
	return old, sh.assignElement(e, strconv.FormatInt(n, 10))
}

func (sh *Shell) binaryNumber(x *syntax.BinaryArithm) (int, error) {
	switch x.Op {
	case syntax.Assgn, syntax.AddAssgn, syntax.SubAssgn, syntax.MulAssgn, syntax.QuoAssgn, syntax.RemAssgn,
		syntax.AndAssgn, syntax.OrAssgn, syntax.XorAssgn, syntax.ShlAssgn, syntax.ShrAssgn:
		return sh.assignNumber(x)
	}
	left, err := sh.evaluate(x.X)
	if err != nil {
		return 0, err
	}
	switch x.Op {
	case syntax.TernQuest:
		both, ok := x.Y.(*syntax.BinaryArithm)
		switch {
		case !ok:
			return 0, errUnsupported
		case left != 0:
			return sh.evaluate(both.X)
		}
		return sh.evaluate(both.Y)
	case syntax.AndArit, syntax.OrArit:
		if (left != 0) == (x.Op == syntax.OrArit) {
			return oneIf(left != 0), nil
		}
		right, err := sh.evaluate(x.Y)
		return oneIf(right != 0), err
	}
	right, err := sh.evaluate(x.Y)
	if err != nil {
		return 0, err
	}
	return operate(x.Op, left, right)
}

func (sh *Shell) assignNumber(x *syntax.BinaryArithm) (int, error) {
	arg, err := sh.evaluate(x.Y)
	if err != nil {
		return 0, err
	}
	n := 0
	_, err = sh.update(x.X, func(old int64) (int64, error) {
		var err error
		if n = arg; x.Op != syntax.Assgn {
			n, err = operate(operatorOf(x.Op), int(old), arg)
		}
		return int64(n), err
	})
	return n, err
}

// operatorOf is the operator of an assignment such as +=.
func operatorOf(op syntax.BinAritOperator) syntax.BinAritOperator {
	switch op {
	case syntax.AddAssgn:
		return syntax.Add
	case syntax.SubAssgn:
		return syntax.Sub
	case syntax.MulAssgn:
		return syntax.Mul
	case syntax.QuoAssgn:
		return syntax.Quo
	case syntax.RemAssgn:
		return syntax.Rem
	case syntax.AndAssgn:
		return syntax.And
	case syntax.OrAssgn:
		return syntax.Or
	case syntax.XorAssgn:
		return syntax.Xor
	case syntax.ShlAssgn:
		return syntax.Shl
	}
	return syntax.Shr
}

func oneIf(b bool) int {
	if b {
		return 1
	}
	return 0
}

func operate(op syntax.BinAritOperator, x, y int) (int, error) {
	switch op {
	case syntax.Add:
		return x + y, nil
	case syntax.Sub:
		return x - y, nil
	case syntax.Mul:
		return x * y, nil
	case syntax.Quo, syntax.Rem:
		switch {
		case y == 0:
			return 0, errDivision
		case op == syntax.Quo:
			return x / y, nil
		}
		return x % y, nil
	case syntax.Pow:
		return power(x, y)
	case syntax.Shr:
		return x >> uint(y), nil
	case syntax.Shl:
		return x << uint(y), nil
	case syntax.And:
		return x & y, nil
	case syntax.Or:
		return x | y, nil
	case syntax.Xor:
		return x ^ y, nil
	case syntax.Comma:
		return y, nil
	}
	return comparison(op, x, y)
}

func comparison(op syntax.BinAritOperator, x, y int) (int, error) {
	switch op {
	case syntax.Eql:
		return oneIf(x == y), nil
	case syntax.Neq:
		return oneIf(x != y), nil
	case syntax.Gtr:
		return oneIf(x > y), nil
	case syntax.Lss:
		return oneIf(x < y), nil
	case syntax.Leq:
		return oneIf(x <= y), nil
	case syntax.Geq:
		return oneIf(x >= y), nil
	}
	return 0, errUnsupported
}

func power(x, y int) (int, error) {
	if y < 0 {
		return 0, errExponent
	}
	n := 1
	for ; y > 0; y >>= 1 {
		if y&1 != 0 {
			n *= x
		}
		x *= x
	}
	return n, nil
}

// parseNumber reads a number as bash does: 0x1f, 017, 2#101. What is none is 0.
func parseNumber(s string) int64 {
	s = strings.TrimSpace(s)
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	base := int64(10)
	switch name, rest, ok := strings.Cut(s[:min(len(s), 4)], "#"); {
	case strings.HasPrefix(s, "0x"), strings.HasPrefix(s, "0X"):
		base, s = 16, s[2:]
	case strings.HasPrefix(s, "0"):
		base, s = 8, s[1:]
	case ok:
		var err error
		if base, err = strconv.ParseInt(name, 10, 8); err != nil || base < 2 || base > 64 {
			return 0
		}
		s = rest + s[min(len(s), 4):]
	}
	n := digitsOf(s, base)
	if negative {
		return -n
	}
	return n
}

// digitsOf reads digits of a base up to 64: 0-9, a-z, A-Z, @, _.
func digitsOf(s string, base int64) int64 {
	if base <= 36 {
		n, err := strconv.ParseInt(s, int(base), 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return 0
		}
		return n
	}
	const digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ@_"
	var n int64
	for i := range len(s) {
		d := int64(strings.IndexByte(digits, s[i]))
		if d < 0 || d >= base {
			return 0
		}
		n = n*base + d
	}
	return n
}
