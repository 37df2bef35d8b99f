package applet

import (
	"strconv"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// ttyFamily are the applets about terminals.
func ttyFamily(name string) Func {
	switch name {
	case "logname", "tty":
		return func(c *Call) int {
			if c.IsTTY(0) {
				c.print("/dev/pts/0\n")
				return 0
			}
			c.print("not a tty\n")
			return 1
		}
	case "clear":
		return func(c *Call) int { c.print("\x1b[H\x1b[J"); return 0 }
	case "reset":
		return func(c *Call) int {
			c.SetTTYMode(0, kernel.SaneMode())
			c.print("\x1bc\x1b(B\x1b[m\x1b[J\x1b[?25h")
			return 0
		}
	case "stty":
		return stty
	}
	return nil
}

// sttyFlag is a setting that can be switched by its name.
type sttyFlag struct {
	name string
	of   func(*kernel.Mode) *bool
}

func sttyFlags() []sttyFlag {
	return []sttyFlag{
		{"icrnl", func(m *kernel.Mode) *bool { return &m.MapCR }},
		{"opost", func(m *kernel.Mode) *bool { return &m.Output }},
		{"isig", func(m *kernel.Mode) *bool { return &m.Signals }},
		{"icanon", func(m *kernel.Mode) *bool { return &m.Canonical }},
		{"echo", func(m *kernel.Mode) *bool { return &m.Echo }},
	}
}

// stty shows and changes the terminal's settings.
func stty(c *Call) int {
	mode, ok := c.TTYMode(0)
	if !ok {
		if c.style == GNU {
			return c.fail("'standard input': Inappropriate ioctl for device")
		}
		return c.fail("standard input: Not a tty")
	}
	cols, rows := c.TTYSize(0)
	switch {
	case len(c.Args) == 0:
		c.print("speed 38400 baud; line = 0;\n")
		return 0
	case c.Args[0] == "size":
		c.printf("%d %d\n", rows, cols)
		return 0
	case c.Args[0] == "-a":
		c.printf("speed 38400 baud; rows %d; columns %d; line = 0;\n", rows, cols)
		c.print("intr = ^C; quit = ^\\; erase = ^?; kill = ^U; eof = ^D; susp = ^Z; werase = ^W;\n")
		for _, f := range sttyFlags() {
			sign := "-"
			if *f.of(&mode) {
				sign = ""
			}
			c.print(sign + f.name + " ")
		}
		c.print("\n")
		return 0
	}
	for i := 0; i < len(c.Args); i++ {
		switch arg := c.Args[i]; arg {
		case "raw", "-cooked":
			mode = kernel.RawMode()
		case "sane", "cooked", "-raw":
			mode = kernel.SaneMode()
		case "cols", "columns", "rows":
			i++
			n, err := strconv.Atoi(append(c.Args, "")[i])
			if err != nil || n < 0 {
				return c.fail("missing argument to '%s'", arg)
			}
			if arg == "rows" {
				rows = n
			} else {
				cols = n
			}
		default:
			if !setSttyFlag(&mode, arg) {
				return c.fail("invalid argument '%s'", arg)
			}
		}
	}
	c.SetTTYMode(0, mode)
	c.SetTTYSize(0, cols, rows)
	return 0
}

func setSttyFlag(mode *kernel.Mode, arg string) bool {
	on := arg[:min(1, len(arg))] != "-"
	if !on {
		arg = arg[1:]
	}
	for _, f := range sttyFlags() {
		if f.name == arg {
			*f.of(mode) = on
			return true
		}
	}
	return false
}
