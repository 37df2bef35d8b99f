package applet

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/match"
)

// evaluator evaluates the words of expr by precedence.
type evaluator struct {
	c     *Call
	words []string
	depth int
	bad   string
}

func expr(c *Call) int {
	e := &evaluator{c: c, words: c.Args}
	if len(e.words) > 0 && e.words[0] == "--" {
		e.words = e.words[1:]
	}
	if len(e.words) == 0 {
		if c.style == GNU {
			c.fail("missing operand")
			c.usage("")
			return 2
		}
		c.fail("too few arguments")
		c.usage("EXPRESSION")
		return 2
	}
	v := e.or()
	if e.bad == "" && len(e.words) > 0 {
		e.bad = "syntax error"
		if c.style == GNU {
			e.bad = "syntax error: unexpected argument '" + e.words[0] + "'"
		}
	}
	if e.bad != "" {
		c.fail("%s", e.bad)
		return 2
	}
	c.print(v + "\n")
	if v == "" || isZero(v) {
		return 1
	}
	return 0
}

func isZero(v string) bool {
	n, err := strconv.ParseInt(v, 10, 64)
	return err == nil && n == 0
}

// accept takes the next word if it is one of ops.
func (e *evaluator) accept(ops ...string) string {
	if e.bad != "" || len(e.words) == 0 {
		return ""
	}
	for _, op := range ops {
		if e.words[0] == op {
			e.words = e.words[1:]
			return op
		}
	}
	return ""
}

func (e *evaluator) or() string {
	v := e.and()
	for e.accept("|") != "" {
		w := e.and()
		if v == "" || isZero(v) {
			v = w
		}
	}
	return v
}

func (e *evaluator) and() string {
	v := e.comparison()
	for e.accept("&") != "" {
		w := e.comparison()
		if v == "" || isZero(v) || w == "" || isZero(w) {
			v = "0"
		}
	}
	return v
}

func (e *evaluator) comparison() string {
	v := e.sum()
	for {
		op := e.accept("=", "==", "!=", "<", "<=", ">", ">=")
		if op == "" {
			return v
		}
		w := e.sum()
		order := strings.Compare(v, w)
		a, errA := strconv.ParseInt(v, 10, 64)
		b, errB := strconv.ParseInt(w, 10, 64)
		if errA == nil && errB == nil {
			order = 0
			if a < b {
				order = -1
			} else if a > b {
				order = 1
			}
		}
		ok := map[string]bool{"=": order == 0, "==": order == 0, "!=": order != 0, "<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[op]
		v = "0"
		if ok {
			v = "1"
		}
	}
}

func (e *evaluator) sum() string {
	v := e.product()
	for {
		op := e.accept("+", "-")
		if op == "" {
			return v
		}
		v = e.arithmetic(v, op, e.product())
	}
}

func (e *evaluator) product() string {
	v := e.match()
	for {
		op := e.accept("*", "/", "%")
		if op == "" {
			return v
		}
		v = e.arithmetic(v, op, e.match())
	}
}

func (e *evaluator) arithmetic(v, op, w string) string {
	a, errA := strconv.ParseInt(v, 10, 64)
	b, errB := strconv.ParseInt(w, 10, 64)
	switch {
	case e.bad != "":
		return ""
	case errA != nil || errB != nil:
		e.bad = "non-numeric argument"
		if e.c.style == GNU {
			e.bad = "non-integer argument"
		}
		return ""
	case b == 0 && (op == "/" || op == "%"):
		e.bad = "division by zero"
		return ""
	}
	switch op {
	case "+":
		a += b
	case "-":
		a -= b
	case "*":
		a *= b
	case "/":
		if b == -1 {
			a = -a
		} else {
			a /= b
		}
	case "%":
		if b == -1 {
			a = 0
		} else {
			a %= b
		}
	}
	return strconv.FormatInt(a, 10)
}

func (e *evaluator) match() string {
	v := e.primary()
	for e.accept(":") != "" {
		v = e.matchPattern(v, e.primary())
	}
	return v
}

func (e *evaluator) matchPattern(s, pattern string) string {
	e.c.Work(16 * len(pattern))
	rx, err := match.Compile(e.c, "^(?:"+basicRegexp(strings.TrimPrefix(pattern, "^"))+")", false)
	if err != nil {
		e.bad = "bad regex '" + pattern + "'"
		return ""
	}
	at := rx.Find(e.c, s, 0, 1)
	switch {
	case at == nil && rx.Groups() > 0:
		return ""
	case at == nil:
		return "0"
	case rx.Groups() > 0 && at[2] < 0:
		return ""
	case rx.Groups() > 0:
		return s[at[2]:at[3]]
	}
	return strconv.Itoa(utf8.RuneCountInString(s[:at[1]]))
}

// indexAny is strings.IndexAny for many characters.
func indexAny(s, chars string) int {
	if len(chars) <= 64 {
		return strings.IndexAny(s, chars)
	}
	set := make(map[rune]bool)
	for _, c := range chars {
		set[c] = true
	}
	return strings.IndexFunc(s, func(c rune) bool { return set[c] })
}

func (e *evaluator) primary() string {
	if e.bad != "" {
		return ""
	}
	if len(e.words) == 0 {
		e.bad = "syntax error"
		return ""
	}
	w := e.words[0]
	e.words = e.words[1:]
	if e.depth++; e.depth > groupsMax {
		e.bad = "syntax error"
		return ""
	}
	defer func() { e.depth-- }()
	switch {
	case w == "(":
		v := e.or()
		if e.accept(")") == "" {
			e.bad = "syntax error"
		}
		return v
	case w == "length" && len(e.words) > 0:
		return strconv.Itoa(utf8.RuneCountInString(e.primary()))
	case w == "match" && len(e.words) > 1:
		s := e.primary()
		return e.matchPattern(s, e.primary())
	case w == "substr" && len(e.words) > 2:
		s, from, n := e.primary(), e.primary(), e.primary()
		i, _ := strconv.Atoi(from)
		k, _ := strconv.Atoi(n)
		if i < 1 || k < 1 || i > len(s) {
			return ""
		}
		return s[i-1 : min(len(s), i-1+min(k, len(s)))]
	case w == "index" && len(e.words) > 1:
		return strconv.Itoa(indexAny(e.primary(), e.primary()) + 1)
	case w == "quote" || w == "+" && len(e.words) > 0:
		return e.primary()
	}
	return w
}
