package applet

import (
	"fmt"
	"strconv"
	"strings"
)

// widthMax bounds the widths and precisions of printf.
const widthMax = 4096

// printfApplet is printf(1): the format is used again while arguments last.
func printfApplet(c *Call) int {
	args := c.Args
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		if c.shell != nil {
			if c.style == GNU {
				c.fail("usage: printf format [arg ...]")
			} else {
				c.fail("usage: printf FORMAT [ARGUMENT...]")
			}
			return 2
		}
		return c.usage("FORMAT [ARG]...")
	}
	f := formatter{c: c, args: args[1:]}
	for {
		had := len(f.args)
		f.run(args[0])
		c.Step(1)
		if f.stop || len(f.args) == 0 || len(f.args) == had {
			return f.code
		}
	}
}

// formatter prints by a format and takes arguments as it goes.
type formatter struct {
	c    *Call
	args []string
	stop bool
	code int
}

func (f *formatter) next() (string, bool) {
	if len(f.args) == 0 {
		return "", false
	}
	s := f.args[0]
	f.args = f.args[1:]
	return s, true
}

func (f *formatter) run(format string) {
	for format != "" && !f.stop {
		i := strings.IndexAny(format, `%\`)
		if i < 0 {
			f.c.print(format)
			return
		}
		f.c.print(format[:i])
		format = format[i:]
		if format[0] == '\\' {
			format = f.escape(format)
			continue
		}
		if strings.HasPrefix(format, "%%") {
			f.c.print("%")
			format = format[2:]
			continue
		}
		format = f.verb(format)
	}
}

func (f *formatter) escape(format string) string {
	n := 2
	switch {
	case len(format) > 1 && format[1] >= '0' && format[1] <= '7':
		_, used := digits(format[1:], 8, 3)
		n = 1 + used
	case len(format) > 1 && format[1] == 'x':
		_, used := digits(format[2:], 16, 2)
		n = 2 + used
	}
	n = min(n, len(format))
	text, stop := unescape(format[:n], false)
	f.c.print(text)
	f.stop = stop
	return format[n:]
}

// verb prints one conversion and returns the rest of the format.
func (f *formatter) verb(format string) string {
	i := 1
	for i < len(format) && strings.IndexByte("-+ #0", format[i]) >= 0 {
		i++
	}
	spec := format[:i]
	number := func() {
		if i < len(format) && format[i] == '*' {
			s, _ := f.next()
			n, _ := strconv.Atoi(s)
			spec += strconv.Itoa(max(min(n, widthMax), -widthMax))
			i++
			return
		}
		start := i
		for i < len(format) && format[i] >= '0' && format[i] <= '9' {
			i++
		}
		if start < i {
			n, err := strconv.Atoi(format[start:i])
			if err != nil || n > widthMax {
				n = widthMax
			}
			spec += strconv.Itoa(n)
		}
	}
	number()
	if i < len(format) && format[i] == '.' {
		spec += "."
		i++
		number()
	}
	for i < len(format) && strings.IndexByte("hlLjzt", format[i]) >= 0 {
		i++
	}
	if i == len(format) {
		f.c.fail("%s: invalid format", format)
		f.code, f.stop = 1, true
		return ""
	}
	f.convert(spec, format[i])
	return format[i+1:]
}

func (f *formatter) convert(spec string, verb byte) {
	switch verb {
	case 's':
		s, _ := f.next()
		f.c.printf(spec+"s", s)
	case 'b':
		s, _ := f.next()
		text, stop := unescape(s, true)
		f.c.printf(spec+"s", text)
		f.stop = stop
	case 'q':
		s, _ := f.next()
		f.c.printf(spec+"s", shellQuote(s))
	case 'c':
		s, _ := f.next()
		f.c.printf(spec+"s", s[:min(1, len(s))])
	case 'd', 'i':
		f.c.printf(spec+"d", f.integer())
	case 'u':
		f.c.printf(strings.NewReplacer("+", "", " ", "").Replace(spec)+"d", uint64(f.integer()))
	case 'o', 'x', 'X':
		f.c.printf(spec+string(verb), uint64(f.integer()))
	case 'e', 'E', 'f', 'F', 'g', 'G':
		f.float(spec, verb)
	default:
		f.c.fail("%%%c: invalid format", verb)
		f.code, f.stop = 1, true
	}
}

func (f *formatter) integer() int64 {
	s, ok := f.next()
	if !ok {
		return 0
	}
	t := strings.TrimLeft(s, " \t")
	if len(t) > 1 && (t[0] == '"' || t[0] == '\'') {
		return int64([]rune(t[1:])[0])
	}
	if n, err := strconv.ParseInt(t, 0, 64); err == nil && !strings.ContainsAny(t, "_oO") {
		return n
	}
	if n, err := strconv.ParseUint(t, 0, 64); err == nil {
		return int64(n)
	}
	f.badNumber(s)
	end := 0
	for end < len(t) && (t[end] >= '0' && t[end] <= '9' || end == 0 && t[end] == '-') {
		end++
	}
	n, _ := strconv.ParseInt(t[:end], 10, 64)
	return n
}

func (f *formatter) float(spec string, verb byte) {
	s, ok := f.next()
	v := 0.0
	if ok {
		var err error
		if v, err = strconv.ParseFloat(strings.TrimSpace(s), 64); err != nil {
			f.badNumber(s)
		}
	}
	text := fmt.Sprintf(spec+string(verb), v)
	if verb == 'g' || verb == 'G' {
		if !strings.Contains(spec, ".") {
			text = fmt.Sprintf(strings.TrimSuffix(spec, ".")+".6"+string(verb), v)
		}
	}
	f.c.print(text)
}

func (f *formatter) badNumber(s string) {
	f.code = 1
	switch {
	case f.c.shell != nil && f.c.shell.DashEcho && digitRun(s) > 0:
		f.c.fail("%s: not completely converted", s)
	case f.c.shell != nil && f.c.shell.DashEcho:
		f.c.fail("%s: expected numeric value", s)
	case f.c.style == GNU:
		f.c.fail("%s: invalid number", s)
	default:
		f.c.fail("invalid number '%s'", s)
	}
}

// shellQuote quotes s so that a shell reads it as one word.
func shellQuote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=@%+,") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
