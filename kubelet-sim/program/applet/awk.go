package applet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/benhoyt/goawk/interp"
	"github.com/benhoyt/goawk/lexer"
	"github.com/benhoyt/goawk/parser"
)

func awkFamily(name string) Func {
	switch name {
	case "awk", "gawk", "mawk", "nawk":
		return awk
	}
	return nil
}

// awkStep is the function that loops of a program call, so that they are
// metered.
const awkStep = "kubesimStep__"

// awk is awk(1) by goawk. system(), pipes and files that a program opens
// itself are refused; its arguments are read here.
//
// Deviation: FILENAME is empty and FNR counts through all files.
func awk(c *Call) int {
	o, ok := c.parse("+F:v:f:", nil, "[OPTIONS] [AWK_PROGRAM] [FILE]...")
	if !ok {
		return 2
	}
	source, files, ok := c.awkSource(o)
	if !ok {
		return 2
	}
	funcs := map[string]any{awkStep: func() int { c.Step(1); return 1 }}
	source = meterAwk(source, c.Now().Unix())
	program, err := parser.ParseProgram([]byte(source), &parser.ParserConfig{Funcs: funcs})
	if err != nil {
		return c.awkError(err)
	}
	config := &interp.Config{
		Output: c, Error: c.Stderr(), Argv0: "awk", Funcs: funcs, Environ: []string{},
		NoExec: true, NoFileWrites: true, NoFileReads: true, NoArgVars: true,
	}
	for _, e := range c.Env {
		name, value, _ := strings.Cut(e, "=")
		config.Environ = append(config.Environ, name, value)
	}
	if o.has('F') {
		separator, _ := unescape(o.value('F'), false)
		if separator == "t" {
			separator = "\t"
		}
		config.Vars = append(config.Vars, "FS", separator)
	}
	for _, v := range o.values['v'] {
		name, value, ok := strings.Cut(v, "=")
		if !ok {
			return c.awkError(fmt.Errorf("-v %s: want NAME=VALUE", v))
		}
		config.Vars = append(config.Vars, name, value)
	}
	config.Stdin = &awkInput{c: c, names: files}
	code, err := interp.ExecProgram(program, config)
	if err != nil {
		return c.awkError(err)
	}
	return code
}

func (c *Call) awkSource(o *options) (source string, files []string, ok bool) {
	files = o.rest
	for _, name := range o.values['f'] {
		data, err := c.ReadFile(name, lineMax)
		if err != nil {
			c.cannotOpen(name, err)
			return "", nil, false
		}
		source += string(data) + "\n"
	}
	if len(o.values['f']) == 0 {
		if len(files) == 0 {
			c.usage("[OPTIONS] [AWK_PROGRAM] [FILE]...")
			return "", nil, false
		}
		source, files = files[0], files[1:]
	}
	return source, files, true
}

func (c *Call) awkError(err error) int {
	var perr *parser.ParseError
	text := err.Error()
	if errors.As(err, &perr) {
		text = "cmd. line:" + fmt.Sprint(perr.Position.Line) + ": " + perr.Message
	}
	c.fail("%s", text)
	return 2
}

// awkInput gives the files of the arguments one after the other.
type awkInput struct {
	c     *Call
	names []string
	r     io.ReadCloser
	began bool
}

func (a *awkInput) Read(b []byte) (int, error) {
	if !a.began {
		a.began = true
		if len(a.names) == 0 {
			a.names = []string{"-"}
		}
	}
	for {
		if a.r == nil {
			if len(a.names) == 0 {
				return 0, io.EOF
			}
			name := a.names[0]
			a.names = a.names[1:]
			r, err := a.c.open(name)
			if err != nil {
				return 0, fmt.Errorf("%s: %w", name, err)
			}
			a.r = r
		}
		a.c.flush()
		n, err := a.r.Read(b)
		if n > 0 {
			return n, nil
		}
		_ = a.r.Close()
		a.r = nil
		if err != nil && err != io.EOF {
			return 0, err
		}
	}
}

// awkToken is a token of a program and where it starts.
type awkToken struct {
	tok lexer.Token
	at  int
}

// awkInsert is text that goes into a program.
type awkInsert struct {
	at   int
	text string
}

// meterAwk makes each loop of a program call awkStep, and gives srand() the
// virtual time that it would take from the host's clock.
func meterAwk(source string, now int64) string {
	tokens, ok := awkTokens(source)
	if !ok {
		return source // the parser says what is wrong
	}
	var inserts []awkInsert
	for i, t := range tokens {
		if i+1 == len(tokens) || tokens[i+1].tok != lexer.LPAREN {
			continue
		}
		end, semicolons := awkClosing(tokens, i+1)
		switch {
		case end < 0:
		case t.tok == lexer.WHILE:
			inserts = append(inserts, awkInsert{tokens[i+1].at + 1, awkStep + "()&&("}, awkInsert{tokens[end].at, ")"})
		case t.tok == lexer.FOR && len(semicolons) == 2 && semicolons[0]+1 == semicolons[1]:
			inserts = append(inserts, awkInsert{tokens[semicolons[1]].at, awkStep + "()"})
		case t.tok == lexer.FOR && len(semicolons) == 2:
			inserts = append(inserts, awkInsert{tokens[semicolons[0]].at + 1, awkStep + "()&&("}, awkInsert{tokens[semicolons[1]].at, ")"})
		case t.tok == lexer.F_SRAND && end == i+2:
			inserts = append(inserts, awkInsert{tokens[end].at, fmt.Sprint(now)})
		}
	}
	slices.SortStableFunc(inserts, func(a, b awkInsert) int { return a.at - b.at })
	var out bytes.Buffer
	at := 0
	for _, in := range inserts {
		out.WriteString(source[at:in.at])
		out.WriteString(in.text)
		at = in.at
	}
	out.WriteString(source[at:])
	return out.String()
}

func awkTokens(source string) ([]awkToken, bool) {
	lines := []int{0}
	for i := range len(source) {
		if source[i] == '\n' {
			lines = append(lines, i+1)
		}
	}
	var tokens []awkToken
	lex := lexer.NewLexer([]byte(source))
	for {
		pos, tok, _ := lex.Scan()
		if tok == lexer.EOF {
			return tokens, true
		}
		if tok == lexer.ILLEGAL {
			return nil, false
		}
		if tok == lexer.DIV || tok == lexer.DIV_ASSIGN {
			if n := len(tokens); n == 0 || !endsOperand(tokens[n-1].tok) {
				if _, tok, _ = lex.ScanRegex(); tok == lexer.ILLEGAL {
					return nil, false
				}
			}
		}
		tokens = append(tokens, awkToken{tok, lines[pos.Line-1] + pos.Column - 1})
	}
}

// awkClosing finds the parenthesis that closes the one at i, and the
// semicolons directly within.
func awkClosing(tokens []awkToken, i int) (end int, semicolons []int) {
	depth := 0
	for j := i; j < len(tokens); j++ {
		switch tokens[j].tok {
		case lexer.LPAREN:
			depth++
		case lexer.RPAREN:
			if depth--; depth == 0 {
				return j, semicolons
			}
		case lexer.SEMICOLON:
			if depth == 1 {
				semicolons = append(semicolons, j)
			}
		}
	}
	return -1, nil
}

// endsOperand tells whether a slash after the token divides.
func endsOperand(t lexer.Token) bool {
	switch t {
	case lexer.NAME, lexer.NUMBER, lexer.STRING, lexer.RPAREN, lexer.RBRACKET, lexer.DOLLAR, lexer.INCR, lexer.DECR:
		return true
	}
	return false
}
