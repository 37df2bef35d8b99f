package match

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// count is a Meter that adds up.
type count struct{ steps int }

func (c *count) Step(n int) { c.steps += n }

// patterns are expressions of every kind of instruction.
func patterns() []string {
	return []string{
		"", "a", "ab", "a*b", "a+?b", "(a|ab)(c|bcd)(d*)", "^a", "a$", "^$", "^", "$", `\ba`, `a\b`, `\B`, "[a-c]+", "[^a]b", ".", ".*", "(?s).*b", "(?i)AB", "(a)(b)?", "(a*)*", "(a*)+b", "((a)|b)*",
		"a{2,3}", "(?m)^b$", `\pL`, "é", "[é-ü]", "x*", "(|a)*b", "(a|b)*abb", "a|b|ab", "(?:a|b|ab)(?:c|bcd)?", `(?s)\Aa.*\z`, "a?a?a?aaa", "b*|a", "[[:alpha:]]+", `\d+`, "ba*?",
	}
}

func texts() []string {
	list := []string{"", "a", "b", "ab", "abcd", "aab", "aaab b", "ba\nab\nb", "éàü a", "\xff a\xffb", "x", "abb aabb", "AB aB", "  ", "12 a3", strings.Repeat("ab", 9)}
	r := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		b := make([]byte, r.IntN(14))
		for i := range b {
			b[i] = "aabbc d\né1"[r.IntN(10)]
		}
		list = append(list, string(b))
	}
	return list
}

// TestMachineIsRegexp compares what looks at long texts with package regexp.
func TestMachineIsRegexp(t *testing.T) {
	for _, p := range patterns() {
		for _, longest := range []bool{false, true} {
			std := regexp.MustCompile(p)
			if longest {
				std.Longest()
			}
			re, err := Compile(&count{}, p, longest)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range texts() {
				compareAll(t, re, std, s)
			}
		}
	}
}

func compareAll(t *testing.T, re *Regexp, std *regexp.Regexp, s string) {
	t.Helper()
	want := std.FindAllStringSubmatchIndex(s, -1)
	for name, each := range map[string]func(Meter, string, int, func([]int) bool){"All": re.All, "each": re.each} {
		var got [][]int
		each(&count{}, s, re.groups, func(at []int) bool { got = append(got, append([]int{}, at...)); return true })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q in %q: %s (-want +got):\n%s", re, s, name, diff)
		}
	}
	if len(want) > 0 != (re.search(&count{}, s, 0, 0) != nil) {
		t.Errorf("%q in %q: matches %v", re, s, len(want) > 0)
	}
	if len(want) > 0 {
		if diff := cmp.Diff(want[0], re.search(&count{}, s, 0, 2*re.groups+2)); diff != "" {
			t.Errorf("%q in %q: the first (-want +got):\n%s", re, s, diff)
		}
	}
}

// TestAllOfALongText compares where package regexp is asked for short texts only.
func TestAllOfALongText(t *testing.T) {
	for _, p := range patterns() {
		std, s := regexp.MustCompile(p), strings.Repeat("ab bé\na1 aabb xb", 40)
		re, err := Compile(&count{}, p, false)
		if err != nil {
			t.Fatal(err)
		}
		compareAll(t, re, std, s)
	}
}

// TestAMatchIsAccountedFor: whatever the pattern, a large text costs steps in
// proportion, and no piece of the work is larger than some.
func TestAMatchIsAccountedFor(t *testing.T) {
	size := 1 << 16
	if testing.Short() {
		size = 1 << 14
	}
	for _, p := range append(patterns(), strings.Repeat("(a|b|ab)*", 50), "(a?){500}a{500}", "("+strings.Repeat("a*", 300)+")b") {
		m := &count{}
		re, err := Compile(m, p, false)
		if err != nil {
			t.Fatal(err)
		}
		m.steps = 0
		re.All(m, strings.Repeat("a", size), re.Groups(), func([]int) bool { return m.steps < size })
		if m.steps < size/4096 && !strings.HasPrefix(p, "^") { // which looks no farther
			t.Errorf("%.40q: %d steps for %d bytes", p, m.steps, size)
		}
	}
}

func TestWhatIsTooBigIsRefused(t *testing.T) {
	for name, p := range map[string]string{
		"a long text":       strings.Repeat("a", sourceMax+1),
		"many repetitions":  strings.Repeat("a{1000}", 70),
		"nested repetition": strings.Repeat("((ab{30}){30}c)", 99),
		"many groups":       strings.Repeat("(a)", 2000) + strings.Repeat("b{100}", 20),
	} {
		if _, err := Compile(&count{}, p, false); err != ErrTooBig {
			t.Errorf("%s: %v", name, err)
		}
	}
}
