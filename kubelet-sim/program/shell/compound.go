package shell

import (
	"fmt"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

func (sh *Shell) ifClause(cmd *syntax.IfClause) {
	for ; cmd != nil; cmd = cmd.Else {
		if len(cmd.Cond) == 0 { // else
			sh.stmts(cmd.Then)
			return
		}
		sh.tested++
		sh.stmts(cmd.Cond)
		sh.tested--
		if sh.leaving != stay || sh.breaks > 0 {
			return
		}
		if sh.status == 0 {
			sh.stmts(cmd.Then)
			return
		}
	}
	sh.status = 0
}

func (sh *Shell) whileClause(cmd *syntax.WhileClause) {
	sh.loops++
	defer func() { sh.loops-- }()
	status := 0
	for sh.leaving == stay {
		sh.p.Step(1)
		sh.tested++
		sh.stmts(cmd.Cond)
		sh.tested--
		if sh.leaving != stay {
			return
		}
		if sh.broken() || (sh.status == 0) == cmd.Until {
			break
		}
		sh.stmts(cmd.Do)
		status = sh.status
		if sh.leaving != stay {
			return
		}
		if sh.broken() {
			break
		}
	}
	sh.statusUnlessLeaving(status)
}

// broken takes account of break and continue at the end of a turn of a loop
// and tells whether the loop ends.
func (sh *Shell) broken() bool {
	if sh.breaks == 0 {
		return false
	}
	sh.breaks--
	if sh.breaks == 0 && sh.continues {
		sh.continues = false
		return false
	}
	return true
}

func (sh *Shell) forClause(cmd *syntax.ForClause) {
	sh.loops++
	defer func() { sh.loops-- }()
	switch loop := cmd.Loop.(type) {
	case *syntax.WordIter:
		items := sh.params
		if loop.InPos.IsValid() {
			var ok bool
			if items, ok = sh.fields(loop.Items...); !ok {
				return
			}
		}
		if cmd.Select {
			sh.selectLoop(loop.Name.Value, items, cmd.Do)
			return
		}
		sh.forWords(loop.Name.Value, items, cmd.Do)
	case *syntax.CStyleLoop:
		sh.forArithmetic(loop, cmd.Do)
	}
}

func (sh *Shell) forWords(name string, items []string, do []*syntax.Stmt) {
	sh.status = 0
	for _, item := range items {
		sh.p.Step(1)
		sh.set(name, item)
		if sh.leaving != stay {
			return
		}
		sh.stmts(do)
		if sh.leaving != stay || sh.broken() {
			return
		}
	}
}

func (sh *Shell) forArithmetic(loop *syntax.CStyleLoop, do []*syntax.Stmt) {
	sh.status = 0
	sh.arithmetic(loop.Init)
	for sh.leaving == stay {
		sh.p.Step(1)
		if loop.Cond != nil && sh.arithmetic(loop.Cond) == 0 {
			return
		}
		sh.stmts(do)
		if sh.leaving != stay || sh.broken() {
			return
		}
		sh.arithmetic(loop.Post)
	}
}

func (sh *Shell) selectLoop(name string, items []string, do []*syntax.Stmt) {
	for sh.leaving == stay {
		var menu strings.Builder
		for i, item := range items {
			fmt.Fprintf(&menu, "%d) %s\n", i+1, item)
		}
		prompt := sh.get("PS3")
		if prompt == "" {
			prompt = "#? "
		}
		_, _ = sh.p.Stderr().Write([]byte(menu.String() + prompt))
		line, err := sh.readLine('\n')
		if err != nil {
			sh.status = 1
			return
		}
		sh.set("REPLY", line)
		n, _ := strconv.Atoi(strings.TrimSpace(line))
		choice := ""
		if n >= 1 && n <= len(items) {
			choice = items[n-1]
		}
		sh.set(name, choice)
		sh.stmts(do)
		if sh.leaving != stay || sh.broken() {
			return
		}
	}
}

func (sh *Shell) caseClause(cmd *syntax.CaseClause) {
	word := sh.literal(cmd.Word)
	if sh.leaving != stay {
		return
	}
	sh.status = 0
	through := false
	for _, item := range cmd.Items {
		if !through && !sh.caseMatches(item, word) {
			continue
		}
		if sh.leaving != stay {
			return
		}
		sh.stmts(item.Stmts)
		if item.Op == syntax.Break || sh.leaving != stay || sh.breaks > 0 {
			return
		}
		through = item.Op == syntax.Fallthrough
	}
}

func (sh *Shell) caseMatches(item *syntax.CaseItem, word string) bool {
	for _, p := range item.Patterns {
		pat := sh.pattern(p)
		if sh.leaving != stay {
			return true
		}
		if sh.match(pat, word) {
			return true
		}
	}
	return false
}

func (sh *Shell) define(cmd *syntax.FuncDecl) {
	if sh.funcs == nil {
		sh.funcs = make(map[string]*syntax.FuncDecl)
	}
	size := parsedSize(cmd) - parsedSize(sh.funcs[cmd.Name.Value])
	sh.p.Charge(size)
	sh.p.Reserve(size / 2) // its parts are scattered
	sh.funcs[cmd.Name.Value] = cmd
	sh.status = 0
}

// parsedSize is about what a function takes in memory, many times its text. Unit:
// bytes.
func parsedSize(cmd *syntax.FuncDecl) int64 {
	if cmd == nil {
		return 0
	}
	return 512 + 16*int64(cmd.End().Offset()-cmd.Pos().Offset())
}

func (sh *Shell) timeClause(cmd *syntax.TimeClause) {
	start := sh.p.Now()
	if cmd.Stmt != nil {
		sh.stmt(cmd.Stmt)
	}
	took := sh.p.Now().Sub(start)
	minutes, seconds := int(took.Minutes()), took.Seconds()-60*float64(int(took.Minutes()))
	format := "real\t%dm %.2fs\nuser\t0m 0.00s\nsys\t0m 0.00s\n"
	if sh.dialect == Bash {
		format = "\nreal\t%dm%.3fs\nuser\t0m0.000s\nsys\t0m0.000s\n"
	}
	if cmd.PosixFormat {
		fmt.Fprintf(sh.p.Stderr(), "real %.2f\nuser 0.00\nsys 0.00\n", took.Seconds())
		return
	}
	fmt.Fprintf(sh.p.Stderr(), format, minutes, seconds)
}
