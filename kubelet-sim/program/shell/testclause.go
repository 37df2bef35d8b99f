package shell

import (
	"regexp"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/applet"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/match"
)

// testClause runs [[ … ]].
func (sh *Shell) testClause(cmd *syntax.TestClause) {
	ok, status := sh.evalTest(cmd.X)
	if status == 0 {
		status = boolStatus(ok)
	}
	sh.statusUnlessLeaving(status)
}

// evalTest evaluates an expression of [[ ]]. status is not 0 for an error.
func (sh *Shell) evalTest(x syntax.TestExpr) (ok bool, status int) {
	switch x := x.(type) {
	case *syntax.Word:
		return sh.literal(x) != "", 0
	case *syntax.ParenTest:
		return sh.evalTest(x.X)
	case *syntax.UnaryTest:
		if x.Op == syntax.TsNot {
			ok, status = sh.evalTest(x.X)
			return !ok && status == 0, status
		}
		w, isWord := x.X.(*syntax.Word)
		if !isWord {
			return false, 2
		}
		return sh.unaryTest(x.Op, sh.literal(w)), 0
	case *syntax.BinaryTest:
		return sh.binaryTest(x)
	}
	return false, 2
}

func (sh *Shell) unaryTest(op syntax.UnTestOperator, s string) bool {
	switch op {
	case syntax.TsVarSet:
		v := environ{sh}.Get(s)
		return v.IsSet()
	case syntax.TsRefVar:
		v, _ := sh.vars.find(s)
		return v.Kind == expand.NameRef
	case syntax.TsOptSet:
		return s == "errexit" && sh.opts.errexit || s == "nounset" && sh.opts.nounset || s == "xtrace" && sh.opts.xtrace || s == "pipefail" && sh.opts.pipefail
	}
	ok, _ := applet.UnaryTest(sh.p, op.String(), s)
	return ok
}

func (sh *Shell) binaryTest(x *syntax.BinaryTest) (ok bool, status int) {
	switch x.Op {
	case syntax.AndTest:
		if ok, status = sh.evalTest(x.X); !ok || status != 0 {
			return false, status
		}
		return sh.evalTest(x.Y)
	case syntax.OrTest:
		if ok, status = sh.evalTest(x.X); ok || status != 0 {
			return ok, status
		}
		return sh.evalTest(x.Y)
	}
	xw, isWord := x.X.(*syntax.Word)
	yw, isWord2 := x.Y.(*syntax.Word)
	if !isWord || !isWord2 {
		return false, 2
	}
	left := sh.literal(xw)
	switch x.Op {
	case syntax.TsMatch, syntax.TsMatchShort:
		return sh.match(sh.pattern(yw), left), 0
	case syntax.TsNoMatch:
		return !sh.match(sh.pattern(yw), left), 0
	case syntax.TsReMatch:
		return sh.regexTest(left, yw)
	case syntax.TsBefore:
		return left < sh.literal(yw), 0
	case syntax.TsAfter:
		return left > sh.literal(yw), 0
	case syntax.TsEql, syntax.TsNeq, syntax.TsLeq, syntax.TsGeq, syntax.TsLss, syntax.TsGtr:
		return compare(x.Op, sh.number2(left), sh.number2(sh.literal(yw))), 0
	}
	ok, _ = applet.BinaryTest(sh.p, left, x.Op.String(), sh.literal(yw))
	return ok, 0
}

// number2 evaluates an operand of -eq and its like, which [[ takes as an
// arithmetic expression.
func (sh *Shell) number2(s string) int {
	if n, err := strconv.Atoi(s); err == nil {
		return n
	}
	if s == "" {
		return 0
	}
	return sh.arithmetic(&syntax.Word{Parts: []syntax.WordPart{&syntax.Lit{Value: s}}})
}

func compare(op syntax.BinTestOperator, a, b int) bool {
	switch op {
	case syntax.TsEql:
		return a == b
	case syntax.TsNeq:
		return a != b
	case syntax.TsLeq:
		return a <= b
	case syntax.TsGeq:
		return a >= b
	case syntax.TsLss:
		return a < b
	}
	return a > b
}

// regexTest is [[ s =~ expression ]]: quoted parts stand for themselves.
func (sh *Shell) regexTest(s string, w *syntax.Word) (bool, int) {
	var expr strings.Builder
	for _, part := range w.Parts {
		if lit, ok := part.(*syntax.Lit); ok {
			expr.WriteString(lit.Value)
			continue
		}
		one := sh.literal(&syntax.Word{Parts: []syntax.WordPart{part}})
		switch part.(type) {
		case *syntax.SglQuoted, *syntax.DblQuoted:
			one = regexp.QuoteMeta(one)
		}
		expr.WriteString(one)
	}
	rx, err := match.Compile(sh.p, expr.String(), false)
	if err != nil {
		return false, 2
	}
	at := rx.Find(sh.p, s, 0, rx.Groups())
	if at == nil {
		return false, 0
	}
	groups := make([]string, len(at)/2)
	for i := range groups {
		if at[2*i] >= 0 {
			groups[i] = s[at[2*i]:at[2*i+1]]
		}
	}
	sh.setList("BASH_REMATCH", groups)
	return true, 0
}
