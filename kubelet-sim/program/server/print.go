package server

import (
	"fmt"
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

func outf(p *kernel.Proc, format string, args ...any) {
	_, _ = fmt.Fprintf(p.Stdout(), format, args...)
}

func errf(p *kernel.Proc, format string, args ...any) {
	_, _ = fmt.Fprintf(p.Stderr(), format, args...)
}

// goError is an error as Go programs print it.
func goError(err error) string { return strings.ToLower(err.Error()) }
