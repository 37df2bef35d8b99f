package shell

import (
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/match"
)

// match tells whether a shell pattern matches all of s.
func (sh *Shell) match(pattern, s string) bool {
	sh.p.Step(1)
	p, err := match.CompileExtended(sh.p, pattern, sh.opts.nocasematch)
	return err == nil && p.Match(sh.p, s)
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
