package applet

import (
	"strconv"
	"strings"
	"time"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// sleep waits for the sum of its arguments: 1, 0.5, 1m, 2h, 1d, infinity.
func sleep(c *Call) int {
	args := c.Args
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		if c.style == GNU {
			c.fail("missing operand")
		}
		return c.usage("[N]...\n\nPause for a time equal to the total of the args given, where each arg can\nhave an optional suffix of (s)econds, (m)inutes, (h)ours, or (d)ays")
	}
	total := time.Duration(0)
	for _, a := range args {
		d, ok := interval(a)
		if !ok {
			if c.style == GNU {
				c.fail("invalid time interval '%s'", a)
				return c.usage("")
			}
			return c.fail("invalid number '%s'", a)
		}
		if total += d; d < 0 || total < 0 {
			c.Sleep(-1)
			return 0
		}
	}
	c.Sleep(total)
	return 0
}

// interval reads a number of seconds, or of what its suffix says. Negative:
// forever.
func interval(s string) (time.Duration, bool) {
	if s == "inf" || s == "infinity" || s == "Inf" || s == "INFINITY" {
		return -1, true
	}
	unit := time.Second
	digits := s
	if s != "" {
		switch s[len(s)-1] {
		case 's':
			digits = s[:len(s)-1]
		case 'm':
			unit, digits = time.Minute, s[:len(s)-1]
		case 'h':
			unit, digits = time.Hour, s[:len(s)-1]
		case 'd':
			unit, digits = 24*time.Hour, s[:len(s)-1]
		}
	}
	if digits == "" || strings.Trim(digits, "0123456789.") != "" {
		return 0, false
	}
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return 0, false
	}
	return engine.Span(n, unit), true
}
