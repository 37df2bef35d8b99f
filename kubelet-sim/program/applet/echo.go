package applet

import "strings"

// echo prints its arguments. busybox and bash know -n, -e and -E; dash knows
// -n and always interprets escapes.
func echo(c *Call) int {
	args := c.Args
	newline, escapes := true, c.shell != nil && c.shell.DashEcho
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		flags := "neE"
		if escapes && c.shell.DashEcho {
			flags = "n"
		}
		if strings.Trim(args[0][1:], flags) != "" {
			break
		}
		for _, f := range args[0][1:] {
			switch f {
			case 'n':
				newline = false
			case 'e':
				escapes = true
			case 'E':
				escapes = false
			}
		}
		args = args[1:]
	}
	text := strings.Join(args, " ")
	if escapes {
		var stop bool
		if text, stop = unescape(text, true); stop {
			newline = false
		}
	}
	c.print(text)
	if newline {
		c.print("\n")
	}
	return 0
}

// unescape interprets backslash escapes. Octal numbers start with 0 if zero is
// set, as in echo and %b. stop says that \c ends all output.
func unescape(s string, zero bool) (text string, stop bool) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, false
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			out = append(out, s[i])
			continue
		}
		i++
		if k := strings.IndexByte(`abefnrtv\"`, s[i]); k >= 0 {
			if s[i] == '"' && zero {
				out = append(out, '\\')
			}
			out = append(out, "\a\b\x1b\f\n\r\t\v\\\""[k])
			continue
		}
		switch {
		case s[i] == 'c':
			return string(out), true
		case s[i] == 'x':
			n, used := digits(s[i+1:], 16, 2)
			if used == 0 {
				out = append(out, '\\', 'x')
				continue
			}
			out = append(out, byte(n))
			i += used
		case s[i] == '0' && zero:
			n, used := digits(s[i+1:], 8, 3)
			out = append(out, byte(n))
			i += used
		case s[i] >= '0' && s[i] <= '7':
			n, used := digits(s[i:], 8, 3)
			out = append(out, byte(n))
			i += used - 1
		default:
			out = append(out, '\\', s[i])
		}
	}
	return string(out), false
}

// digits reads at most limit digits of a number.
func digits(s string, base, limit int) (n, used int) {
	for used < limit && used < len(s) {
		d := strings.IndexByte("0123456789abcdef", s[used]|0x20)
		if s[used] >= '0' && s[used] <= '9' {
			d = int(s[used] - '0')
		}
		if d < 0 || d >= base {
			break
		}
		n = n*base + d
		used++
	}
	return n, used
}
