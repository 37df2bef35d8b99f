package applet

import (
	"strings"
)

// options are the flags of a call, as getopt(3) reads them.
type options struct {
	set    map[byte]int
	values map[byte][]string
	rest   []string
}

func (o *options) has(flag byte) bool { return o.set[flag] > 0 }

// value is the last argument of a flag.
func (o *options) value(flag byte) string {
	if list := o.values[flag]; len(list) > 0 {
		return list[len(list)-1]
	}
	return ""
}

// parse reads options by a getopt string: a colon marks those with an
// argument, a leading + stops at the first word that is none. long maps the
// names of long options to letters. ok is false after a message.
func (c *Call) parse(spec string, long map[string]byte, usage string) (o *options, ok bool) {
	o = &options{}
	stop := strings.HasPrefix(spec, "+")
	spec = strings.TrimPrefix(spec, "+")
	args := c.Args
	for len(args) > 0 {
		a := args[0]
		args = args[1:]
		switch {
		case a == "--":
			o.rest = append(o.rest, args...)
			return o, true
		case len(a) < 2 || a[0] != '-':
			o.rest = append(o.rest, a)
			if stop {
				o.rest = append(o.rest, args...)
				return o, true
			}
		case strings.HasPrefix(a, "--"):
			if args, ok = o.long(c, a[2:], args, spec, long, usage); !ok {
				return o, false
			}
		default:
			if args, ok = o.short(c, a[1:], args, spec, usage); !ok {
				return o, false
			}
		}
	}
	return o, true
}

func (o *options) add(flag byte, value string, hasValue bool) {
	if o.set == nil {
		o.set = make(map[byte]int)
	}
	o.set[flag]++
	if !hasValue {
		return
	}
	if o.values == nil {
		o.values = make(map[byte][]string)
	}
	o.values[flag] = append(o.values[flag], value)
}

// takes tells whether a flag is known and has an argument.
func takes(spec string, flag byte) (known, argument bool) {
	i := strings.IndexByte(spec, flag)
	if i < 0 || flag == ':' {
		return false, false
	}
	return true, i+1 < len(spec) && spec[i+1] == ':'
}

func (o *options) short(c *Call, flags string, args []string, spec, usage string) ([]string, bool) {
	for i := 0; i < len(flags); i++ {
		f := flags[i]
		known, argument := takes(spec, f)
		switch {
		case !known:
			c.fail("invalid option -- '%c'", f)
			c.usage(usage)
			return nil, false
		case !argument:
			o.add(f, "", false)
		case i+1 < len(flags):
			o.add(f, flags[i+1:], true)
			return args, true
		case len(args) == 0:
			c.fail("option requires an argument -- '%c'", f)
			c.usage(usage)
			return nil, false
		default:
			o.add(f, args[0], true)
			return args[1:], true
		}
	}
	return args, true
}

func (o *options) long(c *Call, a string, args []string, spec string, long map[string]byte, usage string) ([]string, bool) {
	name, value, hasValue := strings.Cut(a, "=")
	flag, ok := long[name]
	if !ok {
		c.fail("unrecognized option '--%s'", a)
		c.usage(usage)
		return nil, false
	}
	if _, argument := takes(spec, flag); !argument {
		o.add(flag, "", false)
		return args, true
	}
	if !hasValue {
		if len(args) == 0 {
			c.fail("option requires an argument -- '%s'", name)
			return nil, false
		}
		value, args = args[0], args[1:]
	}
	o.add(flag, value, true)
	return args, true
}
