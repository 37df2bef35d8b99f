package shell

import (
	"maps"
	"slices"
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// trapERR stands for the ERR condition of bash among signals.
const trapERR kernel.Signal = 100

// runTraps runs the traps of signals that have arrived, between commands.
func (sh *Shell) runTraps() {
	if sh.inTrap || !sh.p.Interrupted() {
		return
	}
	for s := sh.p.Pending(); s != 0; s = sh.p.Pending() {
		if command := sh.traps[s]; command != "" {
			sh.runTrap(command)
		} else if sh.interactive && s == kernel.SIGINT {
			sh.status, sh.leaving, sh.interrupted = 130, leaveFunction, true
		}
		if sh.leaving != stay {
			return
		}
	}
}

// runTrap runs a trap's command. The exit code from before it stays, unless
// the trap leaves the shell.
func (sh *Shell) runTrap(command string) {
	status := sh.status
	sh.inTrap = true
	sh.eval(command)
	sh.inTrap = false
	if sh.leaving == stay {
		sh.status = status
	}
}

// exitTrap runs the EXIT trap as the shell ends.
func (sh *Shell) exitTrap() {
	command := sh.traps[0]
	if command == "" {
		return
	}
	delete(sh.traps, 0)
	status := sh.status
	sh.leaving, sh.breaks = stay, 0
	sh.eval(command)
	if sh.leaving != leaveShell {
		sh.status = status
	}
}

// trapBuiltin is: trap, trap -l, trap -p, trap COMMAND SIGNAL…, trap - SIGNAL…
func trapBuiltin(sh *Shell, args []string) int {
	args = args[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 || args[0] == "-p" {
		for _, s := range slices.Sorted(maps.Keys(sh.traps)) {
			sh.outf("trap -- %s %s\n", "'"+strings.ReplaceAll(sh.traps[s], "'", `'"'"'`)+"'", sh.trapName(s))
		}
		return 0
	}
	command := args[0]
	signals := args[1:]
	if len(signals) == 0 { // trap SIGNAL
		command, signals = "-", args
	} else if _, isNumber := kernel.ParseSignal(command); isNumber && command != "" && command[0] >= '0' && command[0] <= '9' {
		command, signals = "-", args
	}
	status := 0
	for _, name := range signals {
		if !sh.setTrap(command, name) {
			status = 1
		}
	}
	return status
}

func (sh *Shell) trapName(s kernel.Signal) string {
	switch s {
	case 0:
		return "EXIT"
	case trapERR:
		return "ERR"
	}
	if sh.dialect == Bash {
		return "SIG" + s.Name()
	}
	return s.Name()
}

func (sh *Shell) setTrap(command, name string) bool {
	s, ok := kernel.ParseSignal(name)
	if strings.EqualFold(name, "ERR") && sh.dialect == Bash {
		s, ok = trapERR, true
	}
	if (name == "DEBUG" || name == "RETURN") && sh.dialect == Bash {
		return true
	}
	if !ok {
		if sh.dialect == Bash {
			sh.builtinErrorf("trap", "%s: invalid signal specification", name)
		} else {
			sh.builtinErrorf("trap", "%s: invalid signal specification", name)
		}
		return false
	}
	if sh.traps == nil {
		sh.traps = make(map[kernel.Signal]string)
	}
	switch command {
	case "-":
		delete(sh.traps, s)
	default:
		sh.traps[s] = command
	}
	if s == 0 || s == trapERR || s == kernel.SIGKILL || s == kernel.SIGSTOP {
		return true
	}
	switch command {
	case "-":
		sh.p.Default(s)
	case "":
		sh.p.Ignore(s)
	default:
		sh.p.Handle(s)
	}
	return true
}
