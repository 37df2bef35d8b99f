package shell

import "strconv"

func exitBuiltin(sh *Shell, args []string) int {
	if len(args) > 1 {
		n, _ := sh.number("exit", args[1])
		sh.status = n & 0xff
	}
	sh.leaving = leaveShell
	return sh.status
}

func returnBuiltin(sh *Shell, args []string) int {
	status := sh.status
	if len(args) > 1 {
		n, ok := sh.number("return", args[1])
		status = n & 0xff
		if !ok && sh.dialect != Bash {
			sh.status, sh.leaving = 2, leaveShell
			return 2
		}
	}
	if sh.inFunction == 0 {
		if sh.dialect == Bash {
			sh.builtinErrorf("return", "can only `return' from a function or sourced script")
			return 2
		}
		sh.status, sh.leaving = status, leaveShell
		return status
	}
	sh.status, sh.leaving = status, leaveFunction
	return status
}

func breakBuiltin(sh *Shell, args []string) int {
	n := 1
	if len(args) > 1 {
		var ok bool
		if n, ok = sh.number(args[0], args[1]); !ok || n < 1 {
			sh.status, sh.leaving = 2, leaveShell
			return 2
		}
	}
	if sh.loops == 0 {
		if sh.dialect == Bash {
			sh.builtinErrorf(args[0], "only meaningful in a `for', `while', or `until' loop")
		}
		return 0
	}
	sh.breaks, sh.continues = min(n, sh.loops), args[0] == "continue"
	return 0
}

func shiftBuiltin(sh *Shell, args []string) int {
	n := 1
	if len(args) > 1 {
		var ok bool
		if n, ok = sh.number("shift", args[1]); !ok {
			return 2
		}
	}
	if n > len(sh.params) {
		if sh.dialect == Dash {
			sh.builtinErrorf("shift", "can't shift that many")
			sh.status, sh.leaving = 2, leaveShell
			return 2
		}
		return 1
	}
	sh.params = sh.params[n:]
	return 0
}

// number reads a builtin's numeric argument.
func (sh *Shell) number(builtin, s string) (int, bool) {
	n, err := strconv.Atoi(s)
	if err == nil && n >= 0 || err == nil && sh.dialect == Bash {
		return n, true
	}
	if sh.dialect == Bash {
		sh.builtinErrorf(builtin, "%s: numeric argument required", s)
	} else {
		sh.builtinErrorf(builtin, "Illegal number: %s", s)
	}
	return 2, false
}
