package program

import (
	"strings"
	"testing"
	"time"
)

// run is what a container did from start to end.
type run struct {
	stdout, stderr string
	code           int32
	took           time.Duration
	err            error
}

func noon() time.Time { return time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC) }

// runFor runs a container until it ends, or until a span of virtual time has
// passed; then the code is -1.
func runFor(t testing.TB, spec Spec, span time.Duration) run {
	t.Helper()
	var out, errs strings.Builder
	spec.Output = func(c Chunk) {
		if c.Stderr {
			errs.Write(c.Data)
		} else {
			out.Write(c.Data)
		}
	}
	if spec.Hostname == "" {
		spec.Hostname = "web-0"
	}
	p, err := Start(spec, noon())
	if err != nil {
		return run{err: err}
	}
	defer p.Close()
	now := noon()
	for range 10_000 {
		s := p.State()
		if s.Exited || s.WakeAt.IsZero() || s.WakeAt.Sub(noon()) > span {
			break
		}
		now = s.WakeAt
		p.Resume(now)
	}
	for _, crash := range p.Crashes() {
		t.Errorf("crash: %s", crash)
	}
	s := p.State()
	r := run{stdout: out.String(), stderr: errs.String(), code: s.ExitCode, took: now.Sub(noon())}
	if !s.Exited {
		r.code = -1
	}
	return r
}

func busyboxSh(script string) Spec {
	return Spec{Image: "busybox:1.37", Command: []string{"sh", "-c", script}, User: -1, Group: -1}
}
