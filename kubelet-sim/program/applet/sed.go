package applet

import (
	"io"
	"slices"
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/match"
)

func sedFamily(name string) Func {
	if name == "sed" {
		return sed
	}
	return nil
}

// sedAddress is a line number, $ (last), or a regular expression.
type sedAddress struct {
	line int
	last bool
	rx   *match.Regexp
	step int
}

// sedCommand is one command with its addresses.
type sedCommand struct {
	from, to  *sedAddress
	not       bool
	name      byte
	text      string // of a, i, c; label; file
	rx        *match.Regexp
	replace   string
	global    bool
	print     bool
	nth       int
	set       map[rune]rune // y
	block     []*sedCommand
	file      io.Writer // of w
	active    bool      // within from,to
	endedLine int
}

// sedScriptMax bounds a script. Unit: bytes.
const sedScriptMax = 256 << 10

const sedUsage = "[-i[SFX]] [-nrE] [-f FILE]... [-e CMD]... [FILE]...\nor: sed [-i[SFX]] [-nrE] CMD [FILE]..."

func sed(c *Call) int {
	backup := ""
	for i, a := range c.Args {
		if strings.HasPrefix(a, "-i") && len(a) > 2 && a[2] != 'n' && a[2] != 'r' && a[2] != 'E' {
			c.Args[i], backup = "-i", a[2:]
		}
	}
	o, ok := c.parse("nrEie:f:sz", map[string]byte{"quiet": 'n', "silent": 'n', "regexp-extended": 'E', "in-place": 'i', "expression": 'e'}, sedUsage)
	if !ok {
		return 1
	}
	scripts := o.values['e']
	for _, name := range o.values['f'] {
		data, err := c.ReadFile(name, lineMax)
		if err != nil {
			return c.cannotOpen(name, err)
		}
		scripts = append(scripts, strings.TrimSuffix(string(data), "\n"))
	}
	if len(scripts) == 0 {
		if len(o.rest) == 0 {
			return c.usage(sedUsage)
		}
		scripts, o.rest = o.rest[:1], o.rest[1:]
	}
	script := strings.Join(scripts, "\n")
	if len(script) > sedScriptMax {
		return c.fail("script too long")
	}
	p := sedParser{c: c, s: script, extended: o.has('r') || o.has('E')}
	list, err := p.commands(false)
	if err != nil {
		return c.fail("%v", err)
	}
	if label, ok := missingLabel(list, list); !ok {
		return c.fail("can't find label for jump to '%s'", label)
	}
	s := &sedRun{c: c, quiet: o.has('n'), list: list}
	if !o.has('i') {
		return s.stream(o.rest)
	}
	code := 0
	for _, name := range o.rest {
		if s.inPlace(name, backup) != 0 {
			code = 1
		}
	}
	return code
}

// missingLabel finds a jump of list to a label that neither it nor all, the whole script,
// has.
func missingLabel(list, all []*sedCommand) (label string, ok bool) {
	for _, cmd := range list {
		switch cmd.name {
		case 'b', 't', 'T':
			if cmd.text != "" && !hasLabel(list, cmd.text) && !hasLabel(all, cmd.text) {
				return cmd.text, false
			}
		case '{':
			if label, ok := missingLabel(cmd.block, all); !ok {
				return label, false
			}
		}
	}
	return "", true
}

func hasLabel(list []*sedCommand, label string) bool {
	return slices.ContainsFunc(list, func(c *sedCommand) bool {
		return c.name == ':' && c.text == label || c.name == '{' && hasLabel(c.block, label)
	})
}
