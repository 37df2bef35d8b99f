package applet

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/match"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// sedParser reads a script.
type sedParser struct {
	c        *Call
	s        string
	extended bool
	depth    int
	last     *match.Regexp
	// files are those that w has created.
	files map[string]io.Writer
}

// create returns the file that w writes, which is empty when sed begins.
func (p *sedParser) create(name string) (io.Writer, error) {
	if w := p.files[name]; w != nil {
		return w, nil
	}
	w, err := p.c.create(name, vfs.Truncate)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if p.files == nil {
		p.files = map[string]io.Writer{}
	}
	p.files[name] = w
	return w, nil
}

func (p *sedParser) skip(chars string) { p.s = strings.TrimLeft(p.s, chars) }

func (p *sedParser) commands(inBlock bool) ([]*sedCommand, error) {
	if p.depth++; p.depth > groupsMax {
		return nil, errors.New("too many {")
	}
	defer func() { p.depth-- }()
	var list []*sedCommand
	for {
		p.skip(" \t\n;")
		switch {
		case p.s == "" && inBlock:
			return nil, errors.New("unterminated {")
		case p.s == "":
			return list, nil
		case p.s[0] == '}':
			p.s = p.s[1:]
			if !inBlock {
				return nil, errors.New("unexpected '}'")
			}
			return list, nil
		case p.s[0] == '#':
			_, p.s, _ = strings.Cut(p.s, "\n")
			continue
		}
		before := len(p.s)
		cmd, err := p.command()
		if err != nil {
			return nil, err
		}
		p.c.Work(64 + 8*(before-len(p.s)))
		list = append(list, cmd)
	}
}

func (p *sedParser) address() (*sedAddress, error) {
	if p.s == "" {
		return nil, nil
	}
	switch {
	case p.s[0] == '$':
		p.s = p.s[1:]
		return &sedAddress{last: true}, nil
	case p.s[0] >= '0' && p.s[0] <= '9':
		n := digitRun(p.s)
		line, _ := strconv.Atoi(p.s[:n])
		p.s = p.s[n:]
		a := &sedAddress{line: line}
		if strings.HasPrefix(p.s, "~") {
			n := digitRun(p.s[1:])
			a.step, _ = strconv.Atoi(p.s[1 : 1+n])
			p.s = p.s[1+n:]
		}
		return a, nil
	case p.s[0] == '/' || p.s[0] == '\\' && len(p.s) > 1:
		if p.s[0] == '\\' {
			p.s = p.s[1:]
		}
		text, err := p.delimited(p.s[0], true)
		if err != nil {
			return nil, err
		}
		flags := ""
		if strings.HasPrefix(p.s, "I") {
			flags, p.s = "(?i)", p.s[1:]
		}
		rx, err := p.compile(flags, text)
		return &sedAddress{rx: rx}, err
	}
	return nil, nil
}

func (p *sedParser) compile(flags, text string) (*match.Regexp, error) {
	if text == "" && p.last != nil {
		return p.last, nil
	}
	expr := basicRegexp(text)
	if p.extended {
		expr = extendedRegexp(text)
	}
	rx, err := match.Compile(p.c, flags+expr, false)
	if err != nil {
		return nil, fmt.Errorf("bad regex '%s'", text)
	}
	p.last = rx
	return rx, nil
}

// delimited reads up to the next unescaped delimiter.
func (p *sedParser) delimited(d byte, first bool) (string, error) {
	if first {
		p.s = p.s[1:]
	}
	var out []byte
	inBracket := false
	for i := 0; i < len(p.s); i++ {
		switch {
		case p.s[i] == '\\' && i+1 < len(p.s):
			i++
			switch {
			case p.s[i] == d:
				out = append(out, d)
			case p.s[i] == 'n':
				out = append(out, '\n')
			case p.s[i] == 't':
				out = append(out, '\t')
			default:
				out = append(out, '\\', p.s[i])
			}
			continue
		case p.s[i] == '[' && first:
			inBracket = true
		case p.s[i] == ']':
			inBracket = false
		case p.s[i] == d && !inBracket:
			p.s = p.s[i+1:]
			return string(out), nil
		}
		out = append(out, p.s[i])
	}
	return "", errors.New("unmatched '" + string(d) + "'")
}

func (p *sedParser) command() (*sedCommand, error) {
	cmd := &sedCommand{}
	var err error
	if cmd.from, err = p.address(); err != nil {
		return nil, err
	}
	p.skip(" \t")
	if strings.HasPrefix(p.s, ",") {
		p.s = strings.TrimLeft(p.s[1:], " \t")
		plus := strings.HasPrefix(p.s, "+")
		p.s = strings.TrimPrefix(p.s, "+")
		if cmd.to, err = p.address(); err != nil {
			return nil, err
		}
		if cmd.to == nil {
			return nil, errors.New("unexpected ','")
		}
		if plus {
			cmd.to = &sedAddress{step: -cmd.to.line - 1}
		}
	}
	p.skip(" \t")
	for strings.HasPrefix(p.s, "!") {
		cmd.not = true
		p.s = strings.TrimLeft(p.s[1:], " \t")
	}
	if p.s == "" {
		return nil, errors.New("missing command")
	}
	cmd.name = p.s[0]
	p.s = p.s[1:]
	return cmd, p.arguments(cmd)
}

func (p *sedParser) arguments(cmd *sedCommand) error {
	var err error
	switch cmd.name {
	case '{':
		cmd.block, err = p.commands(true)
		return err
	case 's':
		return p.substitution(cmd)
	case 'y':
		return p.transliteration(cmd)
	case 'a', 'i', 'c':
		p.skip(" \t")
		if strings.HasPrefix(p.s, "\\") {
			p.s = strings.TrimPrefix(strings.TrimLeft(p.s[1:], " \t"), "\n")
		}
		var text strings.Builder
		for {
			line, rest, more := strings.Cut(p.s, "\n")
			p.s = rest
			if strings.HasSuffix(line, "\\") && more {
				text.WriteString(line[:len(line)-1] + "\n")
				continue
			}
			text.WriteString(line)
			cmd.text = text.String()
			return nil
		}
	case ':', 'b', 't', 'T', 'r', 'w':
		p.skip(" \t")
		end := strings.IndexAny(p.s, ";\n")
		if end < 0 || cmd.name == 'r' || cmd.name == 'w' {
			if end = strings.IndexByte(p.s, '\n'); end < 0 {
				end = len(p.s)
			}
		}
		cmd.text, p.s = strings.TrimSpace(p.s[:end]), p.s[end:]
		if cmd.name == 'w' {
			cmd.file, err = p.create(cmd.text)
		}
		return err
	case 'd', 'D', 'p', 'P', 'n', 'N', 'h', 'H', 'g', 'G', 'x', '=', 'l':
		return nil
	case 'q', 'Q':
		p.skip(" \t")
		n := digitRun(p.s)
		cmd.nth, _ = strconv.Atoi(p.s[:n])
		p.s = p.s[n:]
		return nil
	}
	return errors.New("unsupported command " + string(cmd.name))
}

func (p *sedParser) substitution(cmd *sedCommand) error {
	if p.s == "" {
		return errors.New("unmatched 's'")
	}
	d := p.s[0]
	pattern, err := p.delimited(d, true)
	if err != nil {
		return err
	}
	if cmd.replace, err = p.delimited(d, false); err != nil {
		return err
	}
	flags := ""
	for p.s != "" && strings.IndexByte("gpiIw0123456789e", p.s[0]) >= 0 {
		switch f := p.s[0]; {
		case f == 'g':
			cmd.global = true
		case f == 'p':
			cmd.print = true
		case f == 'i' || f == 'I':
			flags = "(?i)"
		case f == 'w':
			name, rest, _ := strings.Cut(p.s[1:], "\n")
			if cmd.file, err = p.create(strings.TrimSpace(name)); err != nil {
				return err
			}
			p.s = "w" + rest // of which the next lines are left
		case f == 'e':
			return errors.New("unsupported command s///e")
		default:
			n := digitRun(p.s)
			cmd.nth, _ = strconv.Atoi(p.s[:n])
			p.s = p.s[n:]
			continue
		}
		p.s = p.s[1:]
	}
	if p.s != "" && strings.IndexByte(" \t\n;}#", p.s[0]) < 0 {
		return errors.New("unknown option to s")
	}
	cmd.rx, err = p.compile(flags, pattern)
	return err
}

func (p *sedParser) transliteration(cmd *sedCommand) error {
	if p.s == "" {
		return errors.New("unmatched 'y'")
	}
	d := p.s[0]
	from, err := p.delimited(d, true)
	if err != nil {
		return err
	}
	to, err := p.delimited(d, false)
	if err != nil {
		return err
	}
	a, b := []rune(from), []rune(to)
	if len(a) != len(b) {
		return errors.New("y command strings have different lengths")
	}
	cmd.set = make(map[rune]rune)
	for i := range a {
		cmd.set[a[i]] = b[i]
	}
	return nil
}
