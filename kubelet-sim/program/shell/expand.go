package shell

import (
	"errors"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// configure makes the expansion look at this shell.
func (sh *Shell) configure() {
	sh.config = &expand.Config{
		Env:       environ{sh},
		CmdSubst:  sh.substitute,
		ProcSubst: sh.processSubstitution,
	}
	sh.optionsChanged()
}

func (sh *Shell) optionsChanged() {
	c := sh.config
	c.ReadDir2 = sh.readDir
	if sh.opts.noglob {
		c.ReadDir2 = nil
	}
	c.NoUnset = sh.opts.nounset
	c.GlobStar, c.DotGlob, c.NullGlob = sh.opts.globstar, sh.opts.dotglob, sh.opts.nullglob
	c.NoCaseGlob, c.ExtGlob = sh.opts.nocaseglob, sh.opts.extglob
}

// notDir satisfies what expand's glob asks of an error for a file that is read
// as a directory: it is no fs.ErrNotExist.
func (sh *Shell) readDir(name string) ([]fs.DirEntry, error) {
	list, err := sh.p.ReadDir(name)
	if err != nil {
		return nil, err
	}
	sh.p.Step(1 + len(list)/16)
	entries := make([]fs.DirEntry, len(list))
	for i, in := range list {
		entries[i] = in
	}
	return entries, nil
}

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
	limit := valueMax
	if sh.captureMax > 0 {
		limit = sh.captureMax
	}
	out, collect := sh.p.Capture(limit)
	_ = c.SetFD(1, out)
	sh.didSubst = true
	sh.substituted = sh.p.Run(c, sh.inChild(c, func(sub *Shell) { sub.stmts(cs.Stmts) })).ExitCode()
	data := collect()
	if i := strings.IndexByte(string(data), 0); i >= 0 {
		data = []byte(strings.ReplaceAll(string(data), "\x00", ""))
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
	var unset expand.UnsetParameterError
	switch {
	case err == nil || errors.Is(err, errLeaving):
	case errors.As(err, &unset):
		name, text := unset.Node.Param.Value, unset.Message
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
	case strings.Contains(err.Error(), "division by zero"):
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

// fields expands words to arguments. It is false if the shell must leave.
func (sh *Shell) fields(words ...*syntax.Word) ([]string, bool) {
	if len(words) == 0 {
		return nil, true
	}
	for _, w := range words {
		if !sh.bounded(w) {
			return nil, false
		}
	}
	defer func() { sh.captureMax = 0 }()
	list := make([]string, 0, len(words))
	total := 0
	for s, err := range expand.FieldsSeq(sh.config, words...) {
		if err != nil {
			sh.expansionError(err)
			return nil, false
		}
		if total += len(s) + 16; total > valueMax {
			sh.fatalf("out of memory")
			return nil, false
		}
		list = append(list, s)
	}
	if sh.drawn > drawnMax {
		sh.fatalf("out of memory")
		return nil, false
	}
	if n := len(list); n > 64 {
		sh.p.Step(n / 16)
	}
	return list, sh.leaving == stay
}

func (sh *Shell) literal(word *syntax.Word) string {
	if word == nil {
		return ""
	}
	if !sh.bounded(word) {
		return ""
	}
	s, err := expand.Literal(sh.config, word)
	sh.captureMax = 0
	sh.expansionError(err)
	return s
}

func (sh *Shell) pattern(word *syntax.Word) string {
	if !sh.bounded(word) {
		return ""
	}
	s, err := expand.Pattern(sh.config, word)
	sh.captureMax = 0
	sh.expansionError(err)
	return s
}

func (sh *Shell) document(word *syntax.Word) string {
	if !sh.bounded(word) {
		return ""
	}
	s, err := expand.Document(sh.config, word)
	sh.captureMax = 0
	sh.expansionError(err)
	return s
}

func (sh *Shell) arithmetic(x syntax.ArithmExpr) int {
	if x == nil {
		return 0
	}
	n, err := expand.Arithm(sh.config, x)
	sh.expansionError(err)
	return n
}

var (
	_ expand.WriteEnviron = environ{}
)

// drawnMax bounds the variables that go into one expansion. Unit: bytes.
const drawnMax = 4 * valueMax

// uses notes a script that runs, for bounded.
func (sh *Shell) uses(s *script) {
	if s.grows == nil {
		return
	}
	for _, known := range sh.growing {
		if known == s {
			return
		}
	}
	if len(sh.growing) > callsMax {
		sh.fatalf("out of memory")
		return
	}
	sh.growing = append(sh.growing[:len(sh.growing):len(sh.growing)], s)
}

// bounded starts an expansion. It refuses a ${x//a/b} whose result might be
// larger than a variable may be.
func (sh *Shell) bounded(word *syntax.Word) bool {
	sh.drawn = 0
	for _, s := range sh.growing {
		for _, pe := range s.grows[word] {
			n := int64(0)
			if pe.Param != nil {
				v, _ := sh.special(pe.Param.Value)
				w, _ := sh.vars.find(pe.Param.Value)
				n = size(v) + size(w)
			}
			with := int64(1)
			if pe.Repl.With != nil {
				with += sh.lengthOf(pe.Repl.With)
			}
			if n*with > drawnMax {
				sh.fatalf("out of memory")
				return false
			}
			sh.captureMax = int(drawnMax / (n + 1))
		}
	}
	return true
}

// lengthOf is at least the length of a word's text and variables.
func (sh *Shell) lengthOf(word *syntax.Word) int64 {
	n := int64(0)
	syntax.Walk(word, func(node syntax.Node) bool {
		switch node := node.(type) {
		case *syntax.Lit:
			n += int64(len(node.Value))
		case *syntax.SglQuoted:
			n += int64(len(node.Value))
		case *syntax.ParamExp:
			if node.Param != nil {
				v, _ := sh.special(node.Param.Value)
				w, _ := sh.vars.find(node.Param.Value)
				n += size(v) + size(w)
			}
			if node.Repl != nil {
				n = n*n + 1 // replacements within replacements: be generous
			}
		}
		return true
	})
	return n
}
