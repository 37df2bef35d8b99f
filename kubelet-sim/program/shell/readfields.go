package shell

import "github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"

// inputLine is a line of input as the read builtin cuts it.
type inputLine struct {
	sh     *Shell
	ifs    separators
	text   []byte
	quoted []bool // by a backslash; nil: nothing is
	at     int
}

// readFields cuts a line into at most n fields, or into all if n is -1. The last
// one takes what is left. A backslash quotes, unless raw is set.
func (sh *Shell) readFields(line string, n int, raw bool) []string {
	l := inputLine{sh: sh, ifs: sh.separators()}
	l.take(line, raw)
	var fields []string
	l.skip(false)
	for l.at < len(l.text) {
		if len(fields) == n-1 {
			return append(fields, l.rest())
		}
		fields = append(fields, l.next())
	}
	return fields
}

// take removes the backslashes.
func (l *inputLine) take(line string, raw bool) {
	l.sh.large(len(line))
	for i := 0; i < len(line); i++ {
		if i&(kernel.PieceMax-1) == kernel.PieceMax-1 {
			l.sh.p.Work(4 * kernel.PieceMax)
		}
		escaped := line[i] == '\\' && !raw
		if escaped && l.quoted == nil {
			l.quoted = make([]bool, len(l.text), len(line))
		}
		if escaped {
			if i++; i == len(line) {
				break
			}
		}
		l.text = append(l.text, line[i])
		if l.quoted != nil {
			l.quoted = append(l.quoted, escaped)
		}
	}
}

// separator tells whether one is at place i.
func (l *inputLine) separator(i int) (width int, space bool) {
	if l.quoted != nil && l.quoted[i] {
		return 0, false
	}
	end := min(len(l.text), i+4)
	return l.ifs.at(string(l.text[i:end]), 0)
}

// skip goes over white space and, if delimiter is set, one other separator among it.
func (l *inputLine) skip(delimiter bool) {
	for l.at < len(l.text) {
		width, space := l.separator(l.at)
		if width == 0 || !space && !delimiter {
			return
		}
		if !space {
			delimiter = false
		}
		l.at += width
	}
}

// next is the next field; what separates it from the one after is gone over.
func (l *inputLine) next() string {
	from := l.at
	for l.at < len(l.text) {
		if l.at&(kernel.PieceMax-1) == kernel.PieceMax-1 {
			l.sh.p.Work(4 * kernel.PieceMax)
		}
		if width, _ := l.separator(l.at); width > 0 {
			break
		}
		l.at++
	}
	field := string(l.text[from:l.at])
	l.skip(true)
	return field
}

// rest is all that is left, without white space at its end. If that is one field,
// its separator belongs to it no more.
func (l *inputLine) rest() string {
	from := l.at
	if field := l.next(); l.at == len(l.text) {
		return field
	}
	end := len(l.text)
	for end > from {
		if _, space := l.separator(end - 1); !space {
			break
		}
		end--
	}
	return string(l.text[from:end])
}
