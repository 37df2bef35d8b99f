package shell

import (
	"regexp"

	"mvdan.cc/sh/v3/pattern"
)

// matcher compiles a shell pattern.
func matcher(pat string, mode pattern.Mode) (func(string) bool, error) {
	if !pattern.HasMeta(pat, mode) {
		want := unquoteMeta(pat)
		if mode&pattern.NoGlobCase == 0 {
			return func(s string) bool { return s == want }, nil
		}
	}
	expr, err := pattern.Regexp(pat, mode)
	if err != nil {
		return nil, err
	}
	rx, err := regexp.Compile(expr)
	if err != nil {
		return nil, err
	}
	return rx.MatchString, nil
}

// unquoteMeta removes the backslashes of a pattern without operators.
func unquoteMeta(pat string) string {
	out := make([]byte, 0, len(pat))
	for i := 0; i < len(pat); i++ {
		if pat[i] == '\\' && i+1 < len(pat) {
			i++
		}
		out = append(out, pat[i])
	}
	return string(out)
}
