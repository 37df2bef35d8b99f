package awk

import (
	"fmt"

	"github.com/benhoyt/goawk/lexer"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/match"
)

// SyntaxError says where a program is wrong.
type SyntaxError struct {
	Line    int
	Message string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("cmd. line:%d: %s", e.Line, e.Message) }

type parser struct {
	meter  match.Meter
	tokens int // since the last step
	lex    *lexer.Lexer
	pos    lexer.Position
	tok    lexer.Token
	val    string
	ahead  *token // read by peek
	prog   *Program
	funcs  map[string]*function
	locals map[string]int
	depth  int
	noIn   bool // the init part of a for: "in" is the loop's
	print  bool // > redirects
}

type token struct {
	pos lexer.Position
	tok lexer.Token
	val string
}

func (p *parser) fail(format string, args ...any) {
	panic(&SyntaxError{p.pos.Line, fmt.Sprintf(format, args...)})
}

func (p *parser) next() {
	if p.ahead != nil {
		p.pos, p.tok, p.val = p.ahead.pos, p.ahead.tok, p.ahead.val
		p.ahead = nil
		return
	}
	if p.tokens++; p.tokens == tokensPerStep {
		p.tokens = 0
		p.meter.Step(1)
	}
	p.pos, p.tok, p.val = p.lex.Scan()
	if p.tok == lexer.ILLEGAL {
		p.fail("%s", p.val)
	}
}

// peek is the token after the present one.
func (p *parser) peek() lexer.Token {
	if p.ahead == nil {
		pos, tok, val := p.lex.Scan()
		p.ahead = &token{pos, tok, val}
	}
	return p.ahead.tok
}

func (p *parser) accept(t lexer.Token) bool {
	if p.tok != t {
		return false
	}
	p.next()
	return true
}

func (p *parser) expect(t lexer.Token) {
	if !p.accept(t) {
		p.fail("unexpected token: want %s", t)
	}
}

// newlines skips those that may stand here.
func (p *parser) newlines() {
	for p.tok == lexer.NEWLINE {
		p.next()
	}
}

// skip skips what separates statements.
func (p *parser) skip() {
	for p.tok == lexer.NEWLINE || p.tok == lexer.SEMICOLON {
		p.next()
	}
}

func (p *parser) enter() {
	if p.depth++; p.depth > depthMax {
		p.fail("nested too deep")
	}
}

func (p *parser) leave() { p.depth-- }

func (p *parser) global(name string) int {
	i, ok := p.prog.globals[name]
	if !ok {
		i = len(p.prog.globals)
		p.prog.globals[name] = i
	}
	return i
}
