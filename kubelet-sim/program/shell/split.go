package shell

import (
	"strings"
	"unicode/utf8"

	"mvdan.cc/sh/v3/syntax"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// splitter makes fields of the pieces of a word.
type splitter struct {
	sh     *Shell
	ifs    separators
	field  []piece
	open   bool // the field is one, if it is empty too
	spaced bool // the last field was ended by white space
	emit   func(field []piece) error
}

// ifsMax bounds the separators. Unit: bytes. Deviation: a longer IFS ends there.
const ifsMax = 256

// separators are the characters of IFS.
type separators struct {
	ascii [2]uint64
	wide  string // those beyond
	first string // that joins "$*"
}

func (sh *Shell) separators() separators {
	text := " \t\n"
	if v, ok := sh.vars.find("IFS"); ok && v.IsSet() {
		text = v.String()
	}
	text = text[:min(len(text), ifsMax)]
	var s separators
	for i, c := range text {
		_, width := utf8.DecodeRuneInString(text[i:])
		if i == 0 {
			s.first = text[:width]
		}
		if c < utf8.RuneSelf {
			s.ascii[c>>6] |= 1 << (c & 63)
		} else {
			s.wide += text[i : i+width]
		}
	}
	return s
}

// at tells whether a separator is at place i of s, how long it is, and whether it is
// white space.
func (s *separators) at(text string, i int) (width int, space bool) {
	c := text[i]
	if c < utf8.RuneSelf {
		if s.ascii[c>>6]&(1<<(c&63)) == 0 {
			return 0, false
		}
		return 1, c == ' ' || c == '\t' || c == '\n'
	}
	if s.wide == "" {
		return 0, false
	}
	if r, n := utf8.DecodeRuneInString(text[i:]); strings.ContainsRune(s.wide, r) {
		return n, false
	}
	return 0, false
}

// add adds a piece that is not split.
func (s *splitter) add(p piece) {
	s.field = append(s.field, p)
	s.open = s.open || p.quoted || p.text != ""
	if s.open {
		s.spaced = false
	}
}

// flush ends the field.
func (s *splitter) flush() error {
	field, open := s.field, s.open
	s.field, s.open = nil, false
	if !open {
		return nil
	}
	return s.emit(field)
}

// split adds a value, which separators cut into fields.
func (s *splitter) split(text string) error {
	from := 0
	for i := 0; i < len(text); {
		if i&(kernel.PieceMax-1) == 0 && i > 0 {
			s.sh.p.Work(4 * kernel.PieceMax)
		}
		width, space := s.ifs.at(text, i)
		if width == 0 {
			i++
			continue
		}
		if i > from {
			s.add(piece{text[from:i], false})
		}
		switch {
		case s.open:
			s.spaced = space
			if err := s.flush(); err != nil {
				return err
			}
		case space:
		case s.spaced: // it belongs to the white space before it
			s.spaced = false
		default:
			s.open = true
			if err := s.flush(); err != nil {
				return err
			}
		}
		i += width
		from = i
	}
	if from < len(text) {
		s.add(piece{text[from:], false})
	}
	return nil
}

// word splits one word that has no braces.
func (s *splitter) word(parts []syntax.WordPart) error {
	for i, part := range parts {
		if err := s.part(part, i == 0, len(parts) > 1); err != nil {
			return err
		}
	}
	s.spaced = false
	return s.flush()
}

func (s *splitter) part(part syntax.WordPart, first, more bool) error {
	switch part := part.(type) {
	case *syntax.Lit:
		s.literal(part.Value, first, more)
	case *syntax.SglQuoted:
		text, err := s.sh.singleQuoted(part)
		s.add(piece{text, true})
		return err
	case *syntax.DblQuoted:
		return s.double(part)
	case *syntax.ParamExp:
		return s.parameter(part)
	case *syntax.CmdSubst, *syntax.ProcSubst:
		text, err := s.sh.value(part, bare)
		if err != nil {
			return err
		}
		return s.split(text)
	default:
		if _, ok := part.(*syntax.ExtGlob); ok && !s.sh.opts.extglob {
			return errExtGlob
		}
		text, err := s.sh.value(part, bare)
		s.add(piece{text, false})
		return err
	}
	return nil
}

// parameter adds what ${…} is without quotes around it.
func (s *splitter) parameter(pe *syntax.ParamExp) error {
	if word, ok, err := s.sh.otherWord(pe); ok || err != nil {
		if err != nil || word == nil {
			return err
		}
		for i, part := range word.Parts { // "$@" in ${1+"$@"} is several fields
			if err := s.part(part, i == 0, len(word.Parts) > 1); err != nil {
				return err
			}
		}
		return nil
	}
	elements, list, err := s.sh.unquotedElements(pe)
	if err != nil {
		return err
	}
	if !list {
		text, err := s.sh.parameter(pe, bare)
		if err != nil {
			return err
		}
		return s.split(text)
	}
	for i, e := range elements {
		if i > 0 {
			if err := s.flush(); err != nil {
				return err
			}
		}
		if err := s.split(e); err != nil {
			return err
		}
	}
	return nil
}

// literal adds the plain text of a word. What a backslash quotes is no pattern.
func (s *splitter) literal(text string, first, more bool) {
	if first && strings.HasPrefix(text, "~") {
		if home, rest := s.sh.tilde(text, more); home != "" || rest != text {
			s.add(piece{home, true})
			text = rest
		}
	}
	for {
		i := strings.IndexByte(text, '\\')
		if i < 0 || i == len(text)-1 {
			break // at the end it stays
		}
		_, width := utf8.DecodeRuneInString(text[i+1:])
		if i > 0 {
			s.add(piece{text[:i], false})
		}
		s.add(piece{text[i+1 : i+1+width], true})
		text = text[i+1+width:]
	}
	if text != "" {
		s.add(piece{text, false})
	}
}

// double adds what is between ", which may be several fields: "$@".
func (s *splitter) double(part *syntax.DblQuoted) error {
	if len(part.Parts) == 1 {
		if pe, ok := part.Parts[0].(*syntax.ParamExp); ok {
			elements, list, err := s.sh.quotedElements(pe)
			if err != nil {
				return err
			}
			for i, e := range elements {
				if i > 0 {
					if err := s.flush(); err != nil {
						return err
					}
				}
				s.add(piece{e, true})
			}
			if list {
				return nil
			}
		}
	}
	pieces, err := s.sh.pieces(nil, part.Parts, inDouble)
	s.add(piece{"", true})
	for _, p := range pieces {
		s.add(piece{p.text, true})
	}
	return err
}
