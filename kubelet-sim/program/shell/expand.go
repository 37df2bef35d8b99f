package shell

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// substitute runs $(…) and gives its output to w.
func (sh *Shell) substitute(w io.Writer, cs *syntax.CmdSubst) error {
	if len(cs.Stmts) == 0 {
		return nil
	}
	if word := onlyRead(cs); word != nil {
		return sh.substituteFile(w, word)
	}
	c := sh.fork([]string{sh.p.Args[0]})
	if c == nil {
		return errLeaving
	}
	c.Args = sh.p.Args
	out, collect := sh.p.Capture(valueMax)
	_ = c.SetFD(1, out)
	sh.didSubst = true
	sh.substituted = sh.p.Run(c, sh.inChild(c, func(sub *Shell) { sub.stmts(cs.Stmts) })).ExitCode()
	data := collect()
	if bytes.IndexByte(data, 0) >= 0 {
		data = bytes.ReplaceAll(data, []byte{0}, nil)
	}
	_, err := w.Write(data)
	return err
}

// errLeaving ends an expansion whose shell is ending already.
var errLeaving = errors.New("the shell is leaving")

// onlyRead returns the file's name of $(<file).
func onlyRead(cs *syntax.CmdSubst) *syntax.Word {
	s := cs.Stmts[0]
	if len(cs.Stmts) != 1 || s.Cmd != nil || s.Negated || s.Background || len(s.Redirs) != 1 || s.Redirs[0].Op != syntax.RdrIn {
		return nil
	}
	return s.Redirs[0].Word
}

func (sh *Shell) substituteFile(w io.Writer, word *syntax.Word) error {
	name := sh.literal(word)
	data, err := sh.p.ReadFile(name, valueMax)
	sh.didSubst, sh.substituted = true, 0
	if err != nil {
		sh.cannotOpen(name, false, err)
		sh.substituted = 1
		return nil
	}
	_, err = w.Write(data)
	return err
}

// processSubstitution starts <(…) or >(…) and returns the name of its pipe.
func (sh *Shell) processSubstitution(ps *syntax.ProcSubst) (string, error) {
	c := sh.fork(sh.p.Args)
	if c == nil {
		return "", errLeaving
	}
	r, w := sh.p.Pipe()
	mine, theirs, fd := r, w, 1
	if ps.Op == syntax.CmdOut {
		mine, theirs, fd = w, r, 0
	}
	_ = c.SetFD(fd, theirs)
	n := sh.p.FreeFD(60)
	_ = sh.p.SetFD(n, mine)
	sh.p.Machine().Start(c, sh.inChild(c, func(sub *Shell) { sub.stmts(ps.Stmts) }))
	return "/dev/fd/" + strconv.Itoa(n), nil
}

// expansionError reports what an expansion returned.
func (sh *Shell) expansionError(err error) {
	var unset *unsetError
	switch {
	case err == nil || errors.Is(err, errLeaving):
	case errors.As(err, &unset):
		name, text := unset.name, unset.text
		if text == "unbound variable" && sh.dialect != Bash || text == "" || text == "parameter not set or null" {
			text = "parameter not set"
			if sh.dialect == Bash {
				text = "parameter null or not set"
			}
		}
		sh.fatalf("%s: %s", name, text)
		if sh.dialect == Bash {
			sh.status = 127
		}
	case errors.Is(err, errDivision):
		switch sh.dialect {
		case Bash:
			sh.fatalf("division by 0 (error token is \"0\")")
		case Dash:
			sh.fatalf("arithmetic expression: division by zero: \"0\"")
		default:
			sh.fatalf("divide by zero")
		}
	case errors.Is(err, errReadOnly):
		sh.fatalf("%v", err)
	case errors.Is(err, errTooLarge):
		sh.fatalf("out of memory")
	default:
		sh.fatalf("%v", err)
	}
}

// drawnMax bounds the variables that go into one expansion. Unit: bytes.
const drawnMax = 4 * valueMax

// fields expands words to arguments. It is false if the shell must leave.
func (sh *Shell) fields(words ...*syntax.Word) ([]string, bool) {
	if len(words) == 0 {
		return nil, true
	}
	sh.drawn = 0
	list := make([]string, 0, len(words))
	total := 0
	emit := func(s string) error {
		if total += len(s) + 16; total > valueMax {
			return errTooLarge
		}
		list = append(list, s)
		return nil
	}
	for _, w := range words {
		if err := sh.wordFields(w, emit); err != nil {
			sh.expansionError(err)
			return nil, false
		}
	}
	if sh.drawn > drawnMax {
		sh.fatalf("out of memory")
		return nil, false
	}
	sh.large(total) // what a builtin, a loop or a program does with them
	return list, sh.leaving == stay
}

// wordFields gives each field of a word to emit.
func (sh *Shell) wordFields(w *syntax.Word, emit func(string) error) error {
	if len(w.Parts) == 1 {
		if lit, ok := w.Parts[0].(*syntax.Lit); ok && !strings.ContainsAny(lit.Value, "\\~{*?[") {
			return emit(lit.Value)
		}
	}
	sh.weigh(w)
	s := splitter{sh: sh, ifs: sh.separators()}
	s.emit = func(field []piece) error {
		found, err := sh.paths(field)
		if err != nil {
			return err
		}
		for _, name := range found {
			if err := emit(name); err != nil {
				return err
			}
		}
		if len(found) > 0 || sh.opts.nullglob && sh.isPattern(field) {
			return nil
		}
		text, err := sh.join(field, bare)
		if err != nil {
			return err
		}
		return emit(text)
	}
	if !hasBraces(w) {
		return s.word(w.Parts)
	}
	split := *w // SplitBraces replaces its parts
	if !syntax.SplitBraces(&split) {
		return s.word(w.Parts)
	}
	for one, err := range expand.BracesSeq(nil, &split) {
		if err != nil {
			return err
		}
		sh.p.Work(16 * len(one.Parts))
		if err := s.word(one.Parts); err != nil {
			return err
		}
	}
	return nil
}

func hasBraces(w *syntax.Word) bool {
	for _, part := range w.Parts {
		if lit, ok := part.(*syntax.Lit); ok && strings.IndexByte(lit.Value, '{') >= 0 {
			return true
		}
	}
	return false
}

// literal expands a word to one string, as a value that is assigned.
func (sh *Shell) literal(word *syntax.Word) string { return sh.expanded(word, bare) }

// pattern expands a word to a pattern: what was quoted is quoted in it.
func (sh *Shell) pattern(word *syntax.Word) string { return sh.expanded(word, asPattern) }

// document expands the text of a here-document.
func (sh *Shell) document(word *syntax.Word) string { return sh.expanded(word, inDocument) }

func (sh *Shell) expanded(word *syntax.Word, q quoting) string {
	if word == nil {
		return ""
	}
	sh.drawn = 0
	s, err := sh.text(word, q)
	sh.expansionError(err)
	return s
}

func (sh *Shell) arithmetic(x syntax.ArithmExpr) int {
	if x == nil {
		return 0
	}
	n, err := sh.compute(x)
	sh.expansionError(err)
	return n
}
