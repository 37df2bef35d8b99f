package applet

import "strings"

// scriptFamily are applets that are of use in scripts alone.
func scriptFamily(name string) Func {
	if name == "getopt" {
		return getopt
	}
	return nil
}

const getoptUsage = "[OPTIONS] [--] OPTSTRING PARAMS"

// getopting is one run of getopt, which reads options for a script.
// It follows util-linux's, as busybox's does.
type getopting struct {
	*Call
	name        string
	short       string
	long        []string // with their colons
	quiet, mute bool
	plain       bool // words are not quoted
	// inOrder and stops are what a "-" or "+" before the short options says.
	inOrder, stops bool
	words          []string
	operands       []string
	code           int
}

func getopt(c *Call) int {
	g := &getopting{Call: c, name: "getopt"}
	args := c.Args
	if len(args) == 0 {
		return g.missing()
	}
	if strings.HasPrefix(args[0], "-") {
		var done bool
		if args, done = g.options(); done {
			return g.code
		}
	} else { // the way of old scripts
		g.plain, g.short, args = true, strings.TrimLeft(args[0], "-+"), args[1:]
	}
	switch {
	case strings.HasPrefix(g.short, "+"):
		g.stops, g.short = true, g.short[1:]
	case strings.HasPrefix(g.short, "-"):
		g.inOrder, g.short = true, g.short[1:]
	}
	g.read(args)
	if !g.mute {
		g.tell()
	}
	return g.code
}

func (g *getopting) missing() int {
	code := g.fail("missing optstring argument")
	if g.style == GNU {
		g.usage(getoptUsage)
		code = 2
	}
	return code
}

// options reads getopt's own, and reports whether there is nothing more to do.
func (g *getopting) options() (rest []string, done bool) {
	o, ok := g.parse("+ao:l:n:qQs:Tu", map[string]byte{
		"alternative": 'a', "options": 'o', "longoptions": 'l', "name": 'n', "quiet": 'q', "quiet-output": 'Q', "shell": 's', "test": 'T', "unquoted": 'u',
	}, getoptUsage)
	switch {
	case !ok:
		g.code = 2
		return nil, true
	case o.has('T'):
		g.code = 4
		return nil, true
	}
	if o.has('n') {
		g.name = o.value('n')
	}
	for _, list := range o.values['l'] {
		g.long = append(g.long, strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' })...)
	}
	g.quiet, g.mute, g.plain, g.short = o.has('q'), o.has('Q'), o.has('u'), o.value('o')
	rest = o.rest
	if !o.has('o') {
		if len(rest) == 0 {
			g.code = g.missing()
			return nil, true
		}
		g.short, rest = rest[0], rest[1:]
		if len(rest) > 0 && rest[0] == "--" {
			rest = rest[1:]
		}
	}
	return rest, false
}

// read goes through the parameters.
func (g *getopting) read(args []string) {
	for len(args) > 0 {
		g.Step(1)
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "--":
			g.operands = append(g.operands, args...)
			return
		case strings.HasPrefix(arg, "--"):
			args = g.readLong(arg[2:], args)
		case len(arg) > 1 && arg[0] == '-':
			args = g.readShort(arg[1:], args)
		case g.stops:
			g.operands = append(append(g.operands, arg), args...)
			return
		case g.inOrder:
			g.words = append(g.words, g.quoted(arg))
		default:
			g.operands = append(g.operands, arg)
		}
	}
}

func (g *getopting) readShort(flags string, args []string) []string {
	for i := 0; i < len(flags); i++ {
		at := strings.IndexByte(g.short, flags[i])
		if at < 0 || flags[i] == ':' {
			g.wrong("invalid option -- '" + flags[i:i+1] + "'")
			continue
		}
		colons := len(g.short[at+1:]) - len(strings.TrimLeft(g.short[at+1:], ":"))
		if colons == 0 {
			g.words = append(g.words, "-"+flags[i:i+1])
			continue
		}
		value, has := flags[i+1:], i+1 < len(flags)
		if !has && colons == 1 {
			if len(args) == 0 {
				g.wrong("option requires an argument -- '" + flags[i:i+1] + "'")
				return args
			}
			value, args = args[0], args[1:]
		}
		g.words = append(g.words, "-"+flags[i:i+1], g.quoted(value))
		return args
	}
	return args
}

func (g *getopting) readLong(text string, args []string) []string {
	name, value, has := strings.Cut(text, "=")
	found, colons := "", 0
	candidates := 0
	for _, long := range g.long {
		full := strings.TrimRight(long, ":")
		if full == name || strings.HasPrefix(full, name) {
			if candidates++; full == name || candidates == 1 {
				found, colons = full, len(long)-len(full)
			}
			if full == name {
				candidates = 1
				break
			}
		}
	}
	switch {
	case candidates == 0:
		g.wrong("unrecognized option '--" + name + "'")
		return args
	case candidates > 1:
		g.wrong("option '--" + name + "' is ambiguous")
		return args
	case colons == 0 && has:
		g.wrong("option '--" + found + "' doesn't allow an argument")
		return args
	case colons == 0:
		g.words = append(g.words, "--"+found)
		return args
	case colons == 1 && !has:
		if len(args) == 0 {
			g.wrong("option '--" + found + "' requires an argument")
			return args
		}
		value, args = args[0], args[1:]
	}
	g.words = append(g.words, "--"+found, g.quoted(value))
	return args
}

// wrong reports what a parameter is not, in the name of the script.
func (g *getopting) wrong(text string) {
	g.code = 1
	if g.quiet {
		return
	}
	g.Name = g.name
	g.fail("%s", text)
}

// quoted is a word as a shell's eval takes it for one.
func (g *getopting) quoted(word string) string {
	if g.plain {
		return word
	}
	g.Work(len(word))
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// tell prints what was read.
func (g *getopting) tell() {
	for _, word := range g.words {
		g.print(" " + word)
	}
	g.print(" --")
	for _, word := range g.operands {
		g.print(" " + g.quoted(word))
	}
	g.print("\n")
}
