package awk

import (
	"maps"
	"slices"

	"github.com/benhoyt/goawk/lexer"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/match"
)

// depthMax bounds how deep a program may be nested.
const depthMax = 200

// Program is a program that was parsed.
type Program struct {
	begin, end []stmt
	rules      []rule
	globals    map[string]int
}

// rule is a pattern with its action; a nil action prints the record. With until
// it goes for a range of records.
type rule struct {
	pattern, until *node
	action         stmt
}

// function is a function that the program defines.
type function struct {
	params []string
	body   stmt
	known  bool
}

// tokensPerStep is how much of a program is read for a step.
const tokensPerStep = 4

// Parse parses a program, at m's cost. The error is a *SyntaxError.
func Parse(source string, m match.Meter) (_ *Program, err error) {
	p := &parser{
		meter: m, lex: lexer.NewLexer([]byte(source)), prog: &Program{globals: map[string]int{}}, funcs: map[string]*function{},
	}
	defer func() {
		if r := recover(); r != nil {
			syntax, ok := r.(*SyntaxError)
			if !ok {
				panic(r)
			}
			err = syntax
		}
	}()
	for _, name := range specials() {
		p.global(name)
	}
	p.next()
	for p.skip(); p.tok != lexer.EOF; p.skip() {
		p.item()
	}
	for _, name := range slices.Sorted(maps.Keys(p.funcs)) {
		if !p.funcs[name].known {
			p.fail("function %q is not defined", name)
		}
	}
	return p.prog, nil
}

func (p *parser) item() {
	switch p.tok {
	case lexer.BEGIN:
		p.next()
		p.prog.begin = append(p.prog.begin, p.block())
		return
	case lexer.END:
		p.next()
		p.prog.end = append(p.prog.end, p.block())
		return
	case lexer.FUNCTION:
		p.function()
		return
	}
	var r rule
	if p.tok != lexer.LBRACE {
		r.pattern = p.expr()
		if p.accept(lexer.COMMA) {
			p.newlines()
			r.until = p.expr()
		}
	}
	if p.tok == lexer.LBRACE {
		r.action = p.block()
	}
	p.prog.rules = append(p.prog.rules, r)
}

func (p *parser) function() {
	p.next()
	f := p.named(p.val)
	if p.tok != lexer.NAME || f.known {
		p.fail("function %q is not a new name", p.val)
	}
	f.known = true
	p.next()
	p.expect(lexer.LPAREN)
	p.locals = map[string]int{}
	for p.tok == lexer.NAME {
		p.locals[p.val] = len(f.params)
		f.params = append(f.params, p.val)
		p.next()
		if !p.accept(lexer.COMMA) {
			break
		}
		p.newlines()
	}
	p.expect(lexer.RPAREN)
	p.newlines()
	f.body = p.block()
	p.locals = nil
}

func (p *parser) named(name string) *function {
	f := p.funcs[name]
	if f == nil {
		f = &function{}
		p.funcs[name] = f
	}
	return f
}

func (p *parser) block() stmt {
	p.enter()
	defer p.leave()
	p.expect(lexer.LBRACE)
	var list []stmt
	for p.skip(); p.tok != lexer.RBRACE; p.skip() {
		if p.tok == lexer.EOF {
			p.fail("unexpected end of the program")
		}
		list = append(list, p.statement())
	}
	p.next()
	return sequence(list)
}

// body is what a condition or loop holds.
func (p *parser) body() stmt {
	p.newlines()
	if p.accept(lexer.SEMICOLON) {
		return sequence(nil)
	}
	return p.statement()
}

func (p *parser) statement() stmt {
	p.enter()
	defer p.leave()
	switch p.tok {
	case lexer.LBRACE:
		return p.block()
	case lexer.IF:
		return p.ifStatement()
	case lexer.WHILE:
		p.next()
		cond := p.condition()
		return loop(cond, nil, p.body(), false)
	case lexer.DO:
		p.next()
		body := p.body()
		p.skip()
		p.expect(lexer.WHILE)
		return loop(p.condition(), nil, body, true)
	case lexer.FOR:
		return p.forStatement()
	}
	s := p.simple()
	if p.tok != lexer.RBRACE && p.tok != lexer.EOF && p.tok != lexer.NEWLINE && !p.accept(lexer.SEMICOLON) {
		p.fail("unexpected token")
	}
	return once(s)
}

func (p *parser) condition() *node {
	p.expect(lexer.LPAREN)
	cond := p.expr()
	p.expect(lexer.RPAREN)
	return cond
}

func (p *parser) ifStatement() stmt {
	p.next()
	cond := p.condition()
	yes := p.body()
	var no stmt
	for p.tok == lexer.NEWLINE || p.tok == lexer.SEMICOLON {
		if p.peek() != lexer.ELSE && p.peek() != p.tok {
			break
		}
		p.next()
	}
	if p.accept(lexer.ELSE) {
		no = p.body()
	}
	return choice(cond, yes, no)
}

func (p *parser) forStatement() stmt {
	p.next()
	p.expect(lexer.LPAREN)
	if p.tok == lexer.NAME && p.peek() == lexer.IN {
		v := p.variable(p.val)
		p.next()
		p.next()
		array := p.variable(p.val)
		p.expect(lexer.NAME)
		p.expect(lexer.RPAREN)
		return forIn(v, array, p.body())
	}
	var before, after stmt
	var cond *node
	if p.tok != lexer.SEMICOLON {
		before = once(p.simple())
	}
	p.expect(lexer.SEMICOLON)
	p.newlines()
	if p.tok != lexer.SEMICOLON {
		cond = p.expr()
	}
	p.expect(lexer.SEMICOLON)
	p.newlines()
	if p.tok != lexer.RPAREN {
		after = once(p.simple())
	}
	p.expect(lexer.RPAREN)
	turns := loop(cond, after, p.body(), false)
	if before == nil {
		return turns
	}
	return sequence([]stmt{before, turns})
}

// simple is a statement without statements in it.
func (p *parser) simple() stmt {
	t := p.tok
	switch t {
	case lexer.BREAK, lexer.CONTINUE, lexer.NEXT, lexer.NEXTFILE:
		p.next()
		f := map[lexer.Token]flow{lexer.BREAK: breaks, lexer.CONTINUE: continues, lexer.NEXT: nexts, lexer.NEXTFILE: nextFiles}[t]
		return func(*interp) flow { return f }
	case lexer.EXIT, lexer.RETURN:
		p.next()
		var e *node
		if !p.ended() {
			e = p.expr()
		}
		if t == lexer.EXIT {
			return exitStatement(e)
		}
		return returnStatement(e)
	case lexer.DELETE:
		p.next()
		array := p.variable(p.val)
		p.expect(lexer.NAME)
		if !p.accept(lexer.LBRACKET) {
			return func(in *interp) flow { in.array(array(in)).clear(in); return goesOn }
		}
		index := p.index()
		return func(in *interp) flow { in.array(array(in)).remove(in, index(in)); return goesOn }
	case lexer.PRINT, lexer.PRINTF:
		return p.printStatement()
	}
	e := p.expr()
	return func(in *interp) flow { e.eval(in); return goesOn }
}

// ended tells whether the statement ends here.
func (p *parser) ended() bool {
	switch p.tok {
	case lexer.NEWLINE, lexer.SEMICOLON, lexer.RBRACE, lexer.EOF, lexer.GREATER, lexer.APPEND, lexer.PIPE:
		return true
	}
	return false
}

func (p *parser) printStatement() stmt {
	formatted := p.tok == lexer.PRINTF
	p.next()
	var args []*node
	before := p.print
	p.print = true
	if !p.ended() {
		args = p.list()
		if len(args) == 1 && args[0].list != nil {
			args = args[0].list
		}
	}
	p.print = before
	how := p.tok
	var to *node
	if how == lexer.GREATER || how == lexer.APPEND || how == lexer.PIPE {
		p.next()
		to = p.concatenation(false)
	}
	if formatted && len(args) == 0 {
		p.fail("printf without a format")
	}
	return printTo(args, formatted, how, to)
}

func (p *parser) list() []*node {
	all := []*node{p.expr()}
	for p.accept(lexer.COMMA) {
		p.newlines()
		all = append(all, p.expr())
	}
	return all
}

// index is what stands in brackets, after the first.
func (p *parser) index() func(*interp) string {
	before, noIn := p.print, p.noIn
	p.print, p.noIn = false, false
	list := p.list()
	p.print, p.noIn = before, noIn
	p.expect(lexer.RBRACKET)
	return func(in *interp) string { return in.key(list) }
}

func (p *parser) regex(source string) *match.Regexp {
	re, err := compile(p.meter, source)
	if err != nil {
		p.fail("bad regex '%s'", source)
	}
	return re
}
