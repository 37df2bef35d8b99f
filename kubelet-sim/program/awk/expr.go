package awk

import (
	"math"
	"strconv"

	"github.com/benhoyt/goawk/lexer"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/match"
)

// node is an expression.
type node struct {
	eval func(*interp) value
	set  func(*interp, value) // nil: nothing can be assigned to it
	cell func(*interp) *cell  // of a bare name
	re   *match.Regexp        // a regular expression in slashes
	list []*node              // (a, b)
}

func constant(v value) *node { return &node{eval: func(*interp) value { return v }} }

func calc(f func(*interp) value) *node { return &node{eval: f} }

func (p *parser) expr() *node {
	p.enter()
	defer p.leave()
	left := p.ternary()
	op, ok := assigns(p.tok)
	if !ok {
		return left
	}
	if left.set == nil {
		p.fail("assignment to what is no variable")
	}
	p.next()
	p.newlines()
	right := p.expr()
	assign := calc(func(in *interp) value {
		v := right.eval(in)
		if op != nil {
			v = num(op(left.eval(in).num(), v.num()))
		}
		left.set(in, v)
		return v
	})
	return assign
}

func (p *parser) ternary() *node {
	cond := p.or()
	if p.tok != lexer.QUESTION {
		return cond
	}
	p.next()
	p.newlines()
	yes := p.expr()
	p.newlines()
	p.expect(lexer.COLON)
	p.newlines()
	no := p.expr()
	return calc(func(in *interp) value {
		if cond.eval(in).truth() {
			return yes.eval(in)
		}
		return no.eval(in)
	})
}

func (p *parser) or() *node {
	left := p.and()
	for p.accept(lexer.OR) {
		p.newlines()
		a, b := left, p.and()
		left = calc(func(in *interp) value { return boolean(a.eval(in).truth() || b.eval(in).truth()) })
	}
	return left
}

func (p *parser) and() *node {
	left := p.in()
	for p.accept(lexer.AND) {
		p.newlines()
		a, b := left, p.in()
		left = calc(func(in *interp) value { return boolean(a.eval(in).truth() && b.eval(in).truth()) })
	}
	return left
}

func (p *parser) in() *node {
	left := p.match()
	for p.tok == lexer.IN && !p.noIn {
		p.next()
		keys := left.list
		if keys == nil {
			keys = []*node{left}
		}
		array := p.variable(p.val)
		p.expect(lexer.NAME)
		left = calc(func(in *interp) value {
			_, ok := in.array(array(in)).values[in.key(keys)]
			return boolean(ok)
		})
	}
	return left
}

func (p *parser) match() *node {
	left := p.comparison()
	for p.tok == lexer.MATCH || p.tok == lexer.NOT_MATCH {
		want := p.tok == lexer.MATCH
		p.next()
		a, b := left, p.comparison()
		left = calc(func(in *interp) value {
			s := in.toStr(a.eval(in))
			return boolean(in.regexOf(b).Match(in.host, s) == want)
		})
	}
	return left
}

func (p *parser) comparison() *node {
	left := p.concatenation(true)
	for p.tok == lexer.PIPE && p.peek() == lexer.GETLINE {
		p.next()
		p.next()
		left = p.getline(left, true)
	}
	test, ok := comparisons(p.tok)
	if !ok || p.tok == lexer.GREATER && p.print {
		return left
	}
	p.next()
	a, b := left, p.concatenation(true)
	return calc(func(in *interp) value {
		x := a.eval(in)
		return boolean(test(in.compare(x, b.eval(in))))
	})
}

// concatenation is of strings without an operator. Where a file's name is
// wanted, several is false.
func (p *parser) concatenation(several bool) *node {
	left := p.additive()
	for several && p.startsOperand() {
		a, b := left, p.additive()
		left = calc(func(in *interp) value {
			x := in.toStr(a.eval(in))
			y := in.toStr(b.eval(in))
			in.grow(len(x) + len(y))
			return str(x + y)
		})
	}
	return left
}

func (p *parser) startsOperand() bool {
	switch p.tok {
	case lexer.NAME, lexer.NUMBER, lexer.STRING, lexer.LPAREN, lexer.DOLLAR, lexer.NOT, lexer.INCR, lexer.DECR, lexer.SUB, lexer.ADD:
		return true
	}
	return p.tok >= lexer.F_ATAN2 && p.tok <= lexer.F_TOUPPER
}

func (p *parser) additive() *node {
	left := p.multiplicative()
	for p.tok == lexer.ADD || p.tok == lexer.SUB {
		op := add
		if p.tok == lexer.SUB {
			op = sub
		}
		p.next()
		p.newlines()
		left = arithmetic(left, p.multiplicative(), op)
	}
	return left
}

func (p *parser) multiplicative() *node {
	left := p.unary()
	for {
		var op func(a, b float64) float64
		switch p.tok {
		case lexer.MUL:
			op = mul
		case lexer.DIV:
			op = div
		case lexer.MOD:
			op = mod
		default:
			return left
		}
		p.next()
		p.newlines()
		left = arithmetic(left, p.unary(), op)
	}
}

func (p *parser) unary() *node {
	p.enter()
	defer p.leave()
	switch p.tok {
	case lexer.NOT:
		p.next()
		e := p.unary()
		return calc(func(in *interp) value { return boolean(!e.eval(in).truth()) })
	case lexer.SUB:
		p.next()
		e := p.unary()
		return calc(func(in *interp) value { return num(-e.eval(in).num()) })
	case lexer.ADD:
		p.next()
		e := p.unary()
		return calc(func(in *interp) value { return num(e.eval(in).num()) })
	}
	return p.power()
}

func (p *parser) power() *node {
	left := p.increment()
	if p.tok != lexer.POW {
		return left
	}
	p.next()
	return arithmetic(left, p.unary(), math.Pow) // from right to left
}

func (p *parser) increment() *node {
	if p.tok == lexer.INCR || p.tok == lexer.DECR {
		by := step(p.tok)
		p.next()
		e := p.primary()
		if e.set == nil {
			p.fail("++ of what is no variable")
		}
		return calc(func(in *interp) value {
			v := num(e.eval(in).num() + by)
			e.set(in, v)
			return v
		})
	}
	e := p.primary()
	if (p.tok == lexer.INCR || p.tok == lexer.DECR) && e.set != nil {
		by := step(p.tok)
		p.next()
		return calc(func(in *interp) value {
			old := num(e.eval(in).num())
			e.set(in, num(old.n+by))
			return old
		})
	}
	return e
}

func (p *parser) primary() *node {
	t, val := p.tok, p.val
	switch t {
	case lexer.NUMBER:
		p.next()
		n, err := strconv.ParseFloat(val, 64)
		if err != nil {
			if i, err := strconv.ParseInt(val, 0, 64); err == nil {
				n = float64(i)
			}
		}
		return constant(num(n))
	case lexer.STRING:
		p.next()
		return constant(str(val))
	case lexer.DIV, lexer.DIV_ASSIGN:
		return p.regexLiteral()
	case lexer.DOLLAR:
		p.next()
		index := p.operand()
		return &node{
			eval: func(in *interp) value { return in.field(int(index.eval(in).num())) },
			set:  func(in *interp, v value) { in.setField(int(index.eval(in).num()), in.toStr(v)) },
		}
	case lexer.LPAREN:
		return p.group()
	case lexer.GETLINE:
		p.next()
		return p.getline(nil, false)
	case lexer.NAME:
		return p.name(val)
	}
	if t >= lexer.F_ATAN2 && t <= lexer.F_TOUPPER {
		return p.builtin()
	}
	p.fail("unexpected token")
	return nil
}

// operand is what $ applies to.
func (p *parser) operand() *node {
	if p.tok == lexer.SUB || p.tok == lexer.ADD || p.tok == lexer.NOT {
		return p.unary()
	}
	return p.increment()
}

func (p *parser) regexLiteral() *node {
	if p.ahead != nil {
		p.fail("unexpected /")
	}
	pos, tok, source := p.lex.ScanRegex()
	p.pos = pos
	if tok == lexer.ILLEGAL {
		p.fail("%s", source)
	}
	re := p.regex(source)
	p.next()
	return &node{re: re, eval: func(in *interp) value {
		return boolean(re.Match(in.host, in.record))
	}}
}

// group is (expr), or (a, b) of print and in.
func (p *parser) group() *node {
	p.next()
	before, noIn := p.print, p.noIn
	p.print, p.noIn = false, false
	p.newlines()
	list := p.list()
	p.newlines()
	p.print, p.noIn = before, noIn
	p.expect(lexer.RPAREN)
	if len(list) > 1 {
		return &node{list: list, eval: func(in *interp) value { return str(in.key(list)) }}
	}
	e := list[0]
	return &node{eval: e.eval, re: e.re}
}

// getline reads the next record: of the input, of a file, or of a command's
// output.
func (p *parser) getline(command *node, pipe bool) *node {
	var to *node
	if p.tok == lexer.NAME && p.peek() != lexer.LPAREN || p.tok == lexer.DOLLAR {
		to = p.primary()
	}
	from := command
	if !pipe && p.accept(lexer.LESS) {
		from = p.concatenation(false)
	}
	return calc(func(in *interp) value { return num(in.getline(from, pipe, to)) })
}

// variable returns how the cell of a name is found.
func (p *parser) variable(name string) func(*interp) *cell {
	if i, ok := p.locals[name]; ok {
		return func(in *interp) *cell { return in.frame[i] }
	}
	i := p.global(name)
	return func(in *interp) *cell { return in.globals[i] }
}

func (p *parser) name(name string) *node {
	p.next()
	if _, local := p.locals[name]; !local && p.tok == lexer.LPAREN && (!p.lex.HadSpace() || extra(name) != nil) {
		return p.call(name)
	}
	find := p.variable(name)
	if p.accept(lexer.LBRACKET) {
		index := p.index()
		return &node{
			eval: func(in *interp) value { return in.array(find(in)).get(in, index(in)) },
			set:  func(in *interp, v value) { in.array(find(in)).put(in, index(in), v) },
		}
	}
	return &node{
		cell: find,
		eval: func(in *interp) value { return in.load(find(in)) },
		set:  func(in *interp, v value) { in.store(find(in), v) },
	}
}
