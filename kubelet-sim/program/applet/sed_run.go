package applet

import (
	"bytes"
	"io"
	"strconv"
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// sedRun is the state of a run.
type sedRun struct {
	c        *Call
	quiet    bool
	list     []*sedCommand
	out      io.Writer
	input    *lineReader
	names    []string
	reader   io.Closer
	ahead    []byte
	aheadEnd bool
	line     int
	space    sedSpace
	hold     sedSpace
	newline  bool
	appended heldText
	replaced bool
	quit     bool
	code     int
}

func (s *sedRun) stream(names []string) int {
	s.out, s.appended = s.c, heldText{c: s.c}
	s.names = names
	if len(names) == 0 {
		s.names = []string{"-"}
	}
	s.fill()
	s.run()
	return s.code
}

// inPlace edits a file; what it was is kept under its name with backup behind it, unless
// that is empty.
func (s *sedRun) inPlace(name, backup string) int {
	data, err := s.c.Contents(name)
	if err != nil {
		return s.c.fail("%s: %v", name, err)
	}
	if backup != "" {
		if err := s.write(name+backup, data); err != nil {
			return s.c.fail("%s: %v", name+backup, err)
		}
	}
	out := heldText{c: s.c}
	defer out.reset()
	run := &sedRun{c: s.c, quiet: s.quiet, list: s.list, out: &out, input: newLineReader(bytes.NewReader(data)), appended: heldText{c: s.c}}
	run.fill()
	run.run()
	if err := s.write(name, out.text); err != nil {
		return s.c.fail("%s: %v", name, err)
	}
	return run.code
}

func (s *sedRun) write(name string, data []byte) error {
	w, err := s.c.create(name, vfs.Truncate)
	if err != nil {
		return err
	}
	defer func() { _ = w.Close() }()
	_, err = w.Write(data)
	return err
}

// heldText is output that is kept. It counts as memory.
type heldText struct {
	c    *Call
	text []byte
}

// Write implements io.Writer.
func (h *heldText) Write(b []byte) (int, error) {
	h.c.StepBytes(len(b))
	h.c.Charge(int64(len(b)))
	h.text = append(h.text, b...)
	return len(b), nil
}

func (h *heldText) reset() {
	h.c.Charge(-int64(len(h.text)))
	h.text = nil
}

// fill reads the line after the present one, to know which is the last.
func (s *sedRun) fill() {
	for {
		if s.input == nil {
			if len(s.names) == 0 {
				s.ahead, s.aheadEnd = nil, true
				return
			}
			name := s.names[0]
			s.names = s.names[1:]
			r, err := s.c.open(name)
			if err != nil {
				if s.code = s.c.fail("%s%s: %v", s.cannotRead(), name, err); s.c.style == GNU {
					s.code = 2
				}
				continue
			}
			s.input, s.reader = newLineReader(r), r
		}
		line, err := s.input.next()
		if err == nil {
			s.ahead = append([]byte{}, line...)
			return
		}
		s.input = nil
		if s.reader == nil {
			s.ahead, s.aheadEnd = nil, true
			return
		}
		_ = s.reader.Close()
	}
}

// cannotRead is before the name of a file that is not there.
func (s *sedRun) cannotRead() string {
	if s.c.style == GNU {
		return "can't read "
	}
	return ""
}

// next makes the following line the pattern space.
func (s *sedRun) next() (string, bool) {
	if s.aheadEnd {
		return "", false
	}
	line := string(s.ahead)
	s.newline = strings.HasSuffix(line, "\n")
	s.line++
	s.fill()
	s.c.StepBytes(len(line))
	return strings.TrimSuffix(line, "\n"), true
}

func (s *sedRun) emit(text string) {
	if s.newline || !s.aheadEnd {
		text += "\n"
	}
	_, _ = io.WriteString(s.out, text)
}

func (s *sedRun) flush() {
	if len(s.appended.text) > 0 {
		_, _ = s.out.Write(s.appended.text)
		s.appended.reset()
	}
}

func (s *sedRun) run() {
	again := false
	for !s.quit && s.c.err == nil {
		if !again {
			line, ok := s.next()
			if !ok {
				return
			}
			s.space.set(line)
		}
		s.replaced = false
		result, _ := s.commands(s.list)
		again = result == 'D'
		if result != 'd' && result != 'D' && result != 'Q' && !s.quiet {
			s.emit(s.text())
		}
		s.flush()
	}
}

// sedJumpsMax bounds jumps within one line.
const sedJumpsMax = 100_000

// commands runs a list. The result is 0, or d, D, q, Q, or b with a label.
func (s *sedRun) commands(list []*sedCommand) (result byte, label string) {
	jumps := 0
	for i := 0; i < len(list); i++ {
		cmd := list[i]
		s.c.Step(1)
		if !s.selects(cmd) {
			continue
		}
		result, label = s.command(cmd)
		if result == 'b' && label != "" {
			at := -1
			s.c.Work(8 * len(list))
			for k, other := range list {
				if other.name == ':' && other.text == label {
					at = k
				}
			}
			if jumps++; at >= 0 && jumps < sedJumpsMax {
				i = at
				continue
			}
		}
		if result != 0 {
			return result, label
		}
	}
	return 0, ""
}

func (s *sedRun) matches(a *sedAddress) bool {
	switch {
	case a.last:
		return s.aheadEnd
	case a.rx != nil:
		return a.rx.Match(s.c, s.text())
	case a.step > 0:
		return s.line >= a.line && (s.line-a.line)%a.step == 0
	}
	return s.line == a.line
}

func (s *sedRun) selects(cmd *sedCommand) bool {
	switch {
	case cmd.from == nil:
		return !cmd.not
	case cmd.to == nil:
		return s.matches(cmd.from) != cmd.not
	case cmd.active:
		if cmd.endedLine > 0 {
			cmd.active = s.line < cmd.endedLine
		} else {
			cmd.active = !s.matches(cmd.to)
		}
		return !cmd.not
	case cmd.zero() && s.line == 1 && s.matches(cmd.to): // 0,/a/ may end where it begins
		return !cmd.not
	case s.matches(cmd.from) || cmd.zero() && s.line == 1:
		cmd.endedLine = 0
		switch {
		case cmd.to.step < 0:
			cmd.endedLine = s.line - cmd.to.step - 1
		case cmd.to.rx == nil && !cmd.to.last:
			cmd.endedLine = cmd.to.line
		}
		cmd.active = cmd.endedLine == 0 || cmd.endedLine > s.line
		if cmd.to.last && s.aheadEnd {
			cmd.active = false
		}
		return !cmd.not
	}
	return cmd.not
}

// zero tells whether the first address is 0, which is before the first line.
func (c *sedCommand) zero() bool {
	return c.from.line == 0 && c.from.rx == nil && !c.from.last && c.from.step == 0
}

func (s *sedRun) command(cmd *sedCommand) (result byte, label string) {
	switch cmd.name {
	case '{':
		return s.commands(cmd.block)
	case 's':
		s.substitute(cmd)
	case 'y':
		s.space.set(s.transliterated(cmd.set))
	case 'd':
		return 'd', ""
	case 'D':
		_, rest, more := strings.Cut(s.text(), "\n")
		if !more {
			return 'd', ""
		}
		s.space.set(rest)
		return 'D', ""
	case 'p':
		_, _ = io.WriteString(s.out, s.text()+"\n")
	case 'P':
		first, _, _ := strings.Cut(s.text(), "\n")
		_, _ = io.WriteString(s.out, first+"\n")
	case '=':
		_, _ = io.WriteString(s.out, strconv.Itoa(s.line)+"\n")
	case 'a':
		_, _ = io.WriteString(&s.appended, cmd.text+"\n")
	case 'i':
		_, _ = io.WriteString(s.out, cmd.text+"\n")
	case 'c':
		if cmd.to == nil || !cmd.active {
			_, _ = io.WriteString(s.out, cmd.text+"\n")
		}
		return 'd', ""
	case 'w':
		_, _ = io.WriteString(cmd.file, s.text()+"\n")
	case 'r':
		if data, err := s.c.ReadFile(cmd.text, lineMax); err == nil {
			_, _ = s.appended.Write(data)
		}
	case 'q', 'Q':
		s.quit, s.code = true, cmd.nth
		return cmd.name, ""
	case 'b':
		return 'b', cmd.text
	case 't', 'T':
		if s.replaced == (cmd.name == 't') {
			s.replaced = false
			return 'b', cmd.text
		}
		s.replaced = false
	default:
		return s.space2(cmd)
	}
	return 0, ""
}

// space2 runs the commands that move lines and the hold space.
func (s *sedRun) space2(cmd *sedCommand) (result byte, label string) {
	switch cmd.name {
	case 'n':
		if s.aheadEnd {
			s.quit = true
			return 'q', ""
		}
		if !s.quiet {
			s.emit(s.text())
		}
		s.flush()
		line, _ := s.next()
		s.space.set(line)
	case 'N':
		if s.aheadEnd {
			s.quit = true
			return 'q', ""
		}
		more, _ := s.next()
		s.space.add(s.c, more)
	case 'h':
		s.hold.set(s.text())
	case 'H':
		s.hold.add(s.c, s.text())
	case 'g':
		s.space.set(s.hold.get(s.c))
	case 'G':
		s.space.add(s.c, s.hold.get(s.c))
	case 'x':
		s.space, s.hold = s.hold, s.space
	case 'l':
		s.c.Work(8 * s.space.len())
		quoted := strconv.Quote(s.text())
		_, _ = io.WriteString(s.out, strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)+"$\n")
	}
	if s.space.len()+s.hold.len() > lineMax {
		s.c.Machine().KillForMemory(s.c.Proc)
	}
	return 0, ""
}

// text is the pattern space.
func (s *sedRun) text() string { return s.space.get(s.c) }

// transliterated is the pattern space after y.
func (s *sedRun) transliterated(set map[rune]rune) string {
	var out strings.Builder
	text := s.text()
	s.c.InPieces(text, func(piece string) { s.c.Work(16 * len(piece)) })
	for _, r := range text {
		if to, ok := set[r]; ok {
			r = to
		}
		out.WriteRune(r)
	}
	return out.String()
}
