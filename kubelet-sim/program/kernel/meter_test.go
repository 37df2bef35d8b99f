package kernel

import (
	"testing"
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// resumesOf runs main alone and returns how often it was resumed until it ended.
func resumesOf(t *testing.T, main Main) int {
	t.Helper()
	now := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	m := New(Config{Root: vfs.New("overlay", now)}, now)
	defer m.Close()
	m.Start(m.NewProc(NewSession(SessionConfig{})), main)
	for n := 1; n < 1000; n++ {
		m.Resume(now)
		if _, exited := m.Exited(); exited {
			return n
		}
		if m.Work() > stepsMax {
			t.Errorf("one Resume did %d steps", m.Work())
		}
		now = m.WakeAt()
	}
	t.Fatal("it does not end")
	return 0
}

func TestWorkIsPaidOff(t *testing.T) {
	for name, c := range map[string]struct {
		main Main
		want int
	}{
		"a little":             {func(p *Proc) int { p.Step(5); return 0 }, 1},
		"all of an instant":    {func(p *Proc) int { p.Step(stepsMax - 1); return 0 }, 1},
		"more than an instant": {func(p *Proc) int { p.Step(stepsMax + 1); return 0 }, 2},
		"ten instants":         {func(p *Proc) int { p.Step(10 * stepsMax); return 0 }, 11},
		"in bytes":             {func(p *Proc) int { p.StepBytes(3 * stepsMax * workUnit); return 0 }, 4},
		"many small pieces":    {func(p *Proc) int { p.InPieces(string(make([]byte, 2*stepsMax*workUnit)), func(string) {}); return 0 }, 3},
		"bytes one by one": {func(p *Proc) int {
			for range 2 * stepsMax {
				p.Work(workUnit / 2)
			}
			return 0
		}, 2},
		"what it owes, with a step": {func(p *Proc) int { p.Owe(5 * stepsMax * workUnit); p.Step(1); return 0 }, 6},
		"what it owes, without one": {func(p *Proc) int { p.Owe(5 * stepsMax * workUnit); return 0 }, 1},
		"what its child works": {func(p *Proc) int {
			c, _ := p.Fork(nil)
			c.Step(3 * stepsMax)
			p.Run(c, func(*Proc) int { return 0 })
			return 0
		}, 4},
		"what it was called for":     {func(p *Proc) int { p.m.current = nil; p.Step(3 * stepsMax); p.m.current = p.task; p.Step(1); return 0 }, 4},
		"a call before it has begun": {func(p *Proc) int { p.m.NewProc(p.session).Step(5 * stepsMax); return 0 }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := resumesOf(t, c.main); got != c.want {
				t.Errorf("%d Resumes, want %d", got, c.want)
			}
		})
	}
}

func TestArgumentsMayBeTooLong(t *testing.T) {
	long := string(make([]byte, argMax))
	for name, c := range map[string]struct {
		args, env []string
		want      bool
	}{
		"a few":                {[]string{"a", "b"}, nil, false},
		"one that fits":        {[]string{long[1:]}, nil, false},
		"one that is too long": {[]string{"a", long}, nil, true},
		"a long variable":      {nil, []string{long}, true},
		"many":                 {make([]string, argsMax/9+1), nil, true},
	} {
		p := &Proc{m: &Machine{}, Env: c.env}
		if got := p.tooLong(c.args); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
