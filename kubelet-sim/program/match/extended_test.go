package match

import (
	"strings"
	"testing"
)

func TestGroups(t *testing.T) {
	for name, c := range map[string]struct {
		pattern, text string
		want          bool
	}{
		"one of two":                           {"@(a|b)c", "bc", true},
		"none of two":                          {"@(a|b)c", "cc", false},
		"any number":                           {"*(ab)", "abab", true},
		"all but one":                          {"!(a)", "b", true},
		"all but this one":                     {"x!(a)y", "xay", false},
		"a bracket in a group":                 {"@([|)]|b)c", ")c", true},
		"a quoted bar in a group":              {`@(a\|b)c`, "a|bc", true},
		"a class in a group":                   {"+([[:digit:]x])", "1x2", true},
		"a star in a group":                    {"@(a*|b?)c", "axxc", true},
		"a group within a group":               {"+(a|@(b|c))", "abc", true},
		"a group without an end":               {"@(a", "@(a", true},
		"a group in a group without an end":    {"@(a@(b)", "@(ab", true},
		"a star before a parenthesis":          {"*(a", "xx(a", true},
		"a hundred groups without an end":      {strings.Repeat("@(", 100), strings.Repeat("@(", 100), true},
		"a thousand stars without an end":      {strings.Repeat("*(", 1000), strings.Repeat("(", 1000), true},
		"a thousand ends within brackets":      {strings.Repeat("@([)]", 500), strings.Repeat("@()", 500), true},
		"a thousand groups that have them all": {strings.Repeat("@(a", 300) + strings.Repeat(")", 300), strings.Repeat("a", 300), true},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := CompileExtended(&count{}, c.pattern, false)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Match(&count{}, c.text); got != c.want {
				t.Errorf("%.20q matches %.20q: %v", c.pattern, c.text, got)
			}
		})
	}
}
