package kernel

import (
	"strconv"
	"strings"
	"time"
)

// Signal is a signal's number on Linux.
type Signal int

// The signals that programs meet.
const (
	SIGHUP   Signal = 1
	SIGINT   Signal = 2
	SIGQUIT  Signal = 3
	SIGABRT  Signal = 6
	SIGKILL  Signal = 9
	SIGUSR1  Signal = 10
	SIGSEGV  Signal = 11
	SIGUSR2  Signal = 12
	SIGPIPE  Signal = 13
	SIGALRM  Signal = 14
	SIGTERM  Signal = 15
	SIGCHLD  Signal = 17
	SIGCONT  Signal = 18
	SIGSTOP  Signal = 19
	SIGURG   Signal = 23
	SIGWINCH Signal = 28
)

// signalNames are those of signals 1 to 31 on Linux.
const signalNames = "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT " +
	"CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH POLL PWR SYS"

// Name is the signal's name without SIG.
func (s Signal) Name() string {
	names := strings.Fields(signalNames)
	if s < 1 || int(s) > len(names) {
		return strconv.Itoa(int(s))
	}
	return names[s-1]
}

// ParseSignal reads TERM, SIGTERM, term or 15.
func ParseSignal(s string) (Signal, bool) {
	if n, err := strconv.Atoi(s); err == nil {
		return Signal(n), n >= 0 && n <= 64
	}
	s = strings.TrimPrefix(strings.ToUpper(s), "SIG")
	switch s {
	case "EXIT":
		return 0, true
	case "IO":
		s = "POLL"
	case "IOT":
		s = "ABRT"
	}
	for i, name := range strings.Fields(signalNames) {
		if name == s {
			return Signal(i + 1), true
		}
	}
	return 0, false
}

// Handle says which signals the program looks at itself, through Pending.
func (p *Proc) Handle(signals ...Signal) {
	for _, s := range signals {
		p.handled |= 1 << s
		p.ignored &^= 1 << s
	}
}

// Ignore says which signals do nothing. Children inherit it.
func (p *Proc) Ignore(signals ...Signal) {
	for _, s := range signals {
		p.ignored |= 1 << s
		p.handled &^= 1 << s
	}
}

// Default gives signals their default action back.
func (p *Proc) Default(signals ...Signal) {
	for _, s := range signals {
		p.ignored &^= 1 << s
		p.handled &^= 1 << s
	}
}

// Pending takes the lowest handled signal that has arrived; 0 if there is none.
func (p *Proc) Pending() Signal {
	for s := Signal(1); p.pending>>s != 0; s++ {
		if p.pending&(1<<s) != 0 {
			p.pending &^= 1 << s
			return s
		}
	}
	return 0
}

// Interrupted tells whether a handled signal has arrived.
func (p *Proc) Interrupted() bool { return p.pending != 0 }

// Pause waits for a handled signal and takes it.
func (p *Proc) Pause() Signal {
	for {
		if s := p.Pending(); s != 0 {
			return s
		}
		p.wait(nil, time.Time{})
	}
}

// Kill sends a signal to p. fromHost says that the sender is the kubelet: as
// in a real PID namespace, process 1 is spared every signal that it does not
// handle, but for a SIGKILL from outside.
func (p *Proc) Kill(s Signal, fromHost bool) {
	bit := uint64(1) << s
	switch {
	case p.ended || s == 0 || s > 63:
	case s != SIGKILL && p.handled&bit != 0:
		p.pending |= bit
		p.m.ready(p.task)
	case s != SIGKILL && p.ignored&bit != 0:
	case s == SIGCHLD, s == SIGCONT, s == SIGURG, s == SIGWINCH:
	case p.PID == 1 && !(fromHost && s == SIGKILL):
	case s >= SIGSTOP && s <= SIGSTOP+3:
		// Deviation: processes are never stopped.
	default:
		p.dying = s
		if p.task != p.m.current {
			p.m.ready(p.task)
		}
	}
}

// Signal sends a signal to another process from p; p may end by it.
func (p *Proc) Signal(to *Proc, s Signal) {
	to.Kill(s, false)
	p.task.checkDying()
}
