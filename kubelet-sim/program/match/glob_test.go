package match

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"mvdan.cc/sh/v3/pattern"
)

// oracle finds what a pattern matches with package regexp, which goes back.
type oracle struct{ whole, prefix, longPrefix, suffix, longSuffix, any *regexp.Regexp }

func newOracle(p string) (o oracle, ok bool) {
	greedy, err := pattern.Regexp(p, 0)
	if err != nil {
		return o, false
	}
	lazy, _ := pattern.Regexp(p, pattern.Shortest)
	for _, c := range []struct {
		to   **regexp.Regexp
		expr string
	}{
		{&o.whole, "^(?:" + greedy + ")$"}, {&o.prefix, "^(" + lazy + ")"}, {&o.longPrefix, "^(" + greedy + ")"},
		{&o.suffix, "(?s)^.*(" + lazy + ")$"}, {&o.longSuffix, "(" + greedy + ")$"}, {&o.any, greedy},
	} {
		if *c.to, err = regexp.Compile(c.expr); err != nil {
			return o, false
		}
	}
	return o, true
}

func compareGlob(t *testing.T, p, s string) {
	t.Helper()
	o, ok := newOracle(p)
	if !ok {
		return
	}
	m := &count{}
	g, err := CompileGlob(m, p, false)
	if err != nil {
		t.Errorf("%q: %v", p, err)
		return
	}
	at := func(rx *regexp.Regexp, end bool) int {
		loc := rx.FindStringSubmatchIndex(s)
		switch {
		case loc == nil:
			return -1
		case end:
			return loc[3]
		}
		return loc[2]
	}
	want := []int{0, at(o.prefix, true), at(o.longPrefix, true), at(o.suffix, false), at(o.longSuffix, false)}
	got := []int{0, g.Prefix(m, s, false), g.Prefix(m, s, true), g.Suffix(m, s, false), g.Suffix(m, s, true)}
	if o.whole.MatchString(s) {
		want[0] = 1
	}
	if g.Match(m, s) {
		got[0] = 1
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%q on %q: match, prefixes, suffixes (-want +got):\n%s", p, s, diff)
	}
	var all [][]int
	g.All(m, s, func(start, end int) bool { all = append(all, []int{start, end}); return true })
	if diff := cmp.Diff(o.any.FindAllStringIndex(s, -1), all); diff != "" {
		t.Errorf("%q on %q: All (-want +got):\n%s", p, s, diff)
	}
}

// TestGlobIsItsExpression compares patterns made of all that they may have with
// the regular expressions that they stand for.
func TestGlobIsItsExpression(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	pieces := []string{"a", "b", "*", "?", "[ab]", "[!a]", "[a-c]", "[]b]", `\*`, `\a`, "é", "[[:alpha:]]", "**", "x", "[é-ü]", "[", "]"}
	rounds := 20_000
	if testing.Short() {
		rounds = 1000
	}
	for range rounds {
		var p, s strings.Builder
		for range r.IntN(6) {
			p.WriteString(pieces[r.IntN(len(pieces))])
		}
		for range r.IntN(9) {
			s.WriteString([]string{"a", "b", "c", "é", "*", "ab", "x", "]"}[r.IntN(8)])
		}
		if compareGlob(t, p.String(), s.String()); t.Failed() {
			return
		}
	}
}

// TestAGlobIsAccountedFor: patterns that are cheap on no text and on no luck.
func TestAGlobIsAccountedFor(t *testing.T) {
	const size = 1 << 20
	long := strings.Repeat("a", size)
	for _, p := range []string{
		"*b", "*a*a*a*a*b", "*" + strings.Repeat("a*", 1000) + "b", strings.Repeat("[", 1<<18) + "a", strings.Repeat("[a", 1<<17) + "[:alpha:]", "*[b-z]", "?*?b", strings.Repeat("?", 1<<18) + "b*",
		strings.Repeat("[[:", 1<<16) + "]", strings.Repeat("[!", 1<<16) + ":]", long[:1<<19] + "*b", strings.Repeat("[ab]", 1000) + "*b",
	} {
		m := &count{}
		g, err := CompileGlob(m, p, false)
		if err == nil {
			g.Match(m, long)
			g.Suffix(m, long, false)
			g.Prefix(m, long, true)
		}
		if m.steps < (len(p)+size)/4096 {
			t.Errorf("%.40q: %d steps", p, m.steps)
		}
	}
}
