package applet

import (
	"math"
	"strconv"
	"strings"
)

func numberFamily(name string) Func {
	switch name {
	case "seq":
		return seq
	case "expr":
		return expr
	case "yes":
		return yes
	case "factor":
		return factor
	}
	return nil
}

func yes(c *Call) int {
	line := "y\n"
	if len(c.Args) > 0 {
		line = strings.Join(c.Args, " ") + "\n"
	}
	for c.err == nil {
		c.print(line)
	}
	return 1
}

func seq(c *Call) int {
	var separator, format string
	pad := false
	args := c.Args
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' && (args[0][1] < '0' || args[0][1] > '9') && args[0][1] != '.' {
		switch {
		case args[0] == "-w":
			pad = true
		case args[0] == "-s" && len(args) > 1:
			separator, args = args[1], args[1:]
		case strings.HasPrefix(args[0], "-s"):
			separator = args[0][2:]
		case args[0] == "-f" && len(args) > 1:
			format, args = args[1], args[1:]
		default:
			c.fail("invalid option -- '%s'", args[0][1:])
			return c.usage("[-w] [-s SEP] [FIRST [INC]] LAST\n\nPrint numbers from FIRST to LAST, in steps of INC.")
		}
		args = args[1:]
	}
	if len(args) == 0 || len(args) > 3 {
		if c.style == GNU {
			c.fail("missing operand")
		}
		return c.usage("[-w] [-s SEP] [FIRST [INC]] LAST\n\nPrint numbers from FIRST to LAST, in steps of INC.")
	}
	values := []float64{1, 1, 0}
	places := 0
	for i, a := range args {
		n, err := strconv.ParseFloat(a, 64)
		if err != nil || math.IsNaN(n) {
			if c.style == GNU {
				c.fail("invalid floating point argument: '%s'", a)
				return c.usage("")
			}
			return c.fail("invalid number '%s'", a)
		}
		if _, frac, ok := strings.Cut(a, "."); ok {
			places = max(places, len(frac))
		}
		at := i
		switch {
		case len(args) == 1:
			at = 2
		case len(args) == 2 && i == 1:
			at = 2
		}
		values[at] = n
	}
	return c.sequence(values, min(places, 20), separator, format, pad)
}

func (c *Call) sequence(v []float64, places int, separator, format string, pad bool) int {
	first, step, last := v[0], v[1], v[2]
	if step == 0 {
		if c.style == GNU {
			return c.fail("invalid Zero increment value: '0'")
		}
		step = math.SmallestNonzeroFloat64
	}
	width := 0
	if pad {
		width = max(len(strconv.FormatFloat(first, 'f', places, 64)), len(strconv.FormatFloat(last, 'f', places, 64)))
	}
	if separator == "" {
		separator = "\n"
	}
	shown := false
	for i := 0.0; c.err == nil; i++ {
		n := first + i*step
		if step > 0 && n > last+step/1e6 || step < 0 && n < last+step/1e6 {
			break
		}
		if shown {
			c.print(separator)
		}
		shown = true
		text := strconv.FormatFloat(n, 'f', places, 64)
		if format != "" {
			c.Step(1)
			f := formatter{c: c, args: []string{text}}
			f.run(format)
			continue
		}
		for len(text) < width {
			text = "0" + text
		}
		c.print(text)
	}
	if shown {
		c.print("\n")
	}
	return 0
}

func factor(c *Call) int {
	for _, a := range c.Args {
		n, err := strconv.ParseUint(a, 10, 40)
		if err != nil {
			return c.fail("invalid number '%s'", a)
		}
		c.print(a + ":")
		for p := uint64(2); p*p <= n; p++ {
			if p&1023 == 0 {
				c.Step(1)
			}
			for n%p == 0 {
				c.printf(" %d", p)
				n /= p
			}
		}
		if n > 1 {
			c.printf(" %d", n)
		}
		c.print("\n")
	}
	return 0
}
