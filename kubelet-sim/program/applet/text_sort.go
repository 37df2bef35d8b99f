package applet

import (
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

func sortFamily(name string) Func {
	switch name {
	case "sort":
		return sortApplet
	case "uniq":
		return uniq
	case "cut":
		return cut
	case "tr":
		return tr
	case "shuf":
		return shuf
	case "fold":
		return fold
	case "paste":
		return paste
	}
	return nil
}

// sortKey is -k: fields and characters counted from 1; 0 is the line's end.
type sortKey struct {
	from, fromChar, to, toChar        int
	numeric, reverse, ignoreCase, own bool
	human, version, ignoreBlank       bool
}

func parseKey(s string) (sortKey, bool) {
	var k sortKey
	from, to, hasTo := strings.Cut(s, ",")
	ok := true
	part := func(s string) (field, char int) {
		end := strings.IndexFunc(s, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
		if end < 0 {
			end = len(s)
		}
		for _, f := range s[end:] {
			k.own = true
			switch f {
			case 'n', 'g':
				k.numeric = true
			case 'r':
				k.reverse = true
			case 'f':
				k.ignoreCase = true
			case 'h':
				k.human = true
			case 'V':
				k.version = true
			case 'b':
				k.ignoreBlank = true
			default:
				ok = false
			}
		}
		a, b, _ := strings.Cut(s[:end], ".")
		field, err := strconv.Atoi(a)
		if err != nil {
			ok = false
		}
		char, _ = strconv.Atoi(b)
		return field, char
	}
	k.from, k.fromChar = part(from)
	if hasTo {
		k.to, k.toChar = part(to)
	}
	return k, ok && k.from > 0
}

// of returns the part of a line that the key compares.
func (k sortKey) of(line, separator string) string {
	if k.from == 0 {
		return line
	}
	start := fieldStart(line, separator, k.from-1)
	if k.fromChar > 1 {
		start = min(start+k.fromChar-1, len(line))
	}
	end := len(line)
	if k.to > 0 {
		end = fieldEnd(line, separator, k.to-1)
		if k.toChar > 0 {
			end = min(fieldStart(line, separator, k.to-1)+k.toChar, len(line))
		}
	}
	if start >= end {
		return ""
	}
	return line[start:end]
}

func fieldStart(line, separator string, n int) int {
	at := 0
	for ; n > 0; n-- {
		at = fieldEndFrom(line, separator, at)
		if separator != "" && at < len(line) {
			at++
		}
	}
	return at
}

func fieldEnd(line, separator string, n int) int {
	return fieldEndFrom(line, separator, fieldStart(line, separator, n))
}

func fieldEndFrom(line, separator string, at int) int {
	if separator != "" {
		if i := strings.Index(line[at:], separator); i >= 0 {
			return at + i
		}
		return len(line)
	}
	for at < len(line) && (line[at] == ' ' || line[at] == '\t') {
		at++
	}
	for at < len(line) && line[at] != ' ' && line[at] != '\t' {
		at++
	}
	return at
}

// numeralMax bounds the length of a number that is sorted by. Unit: bytes.
const numeralMax = 1024

func sortNumber(s string, human bool) float64 {
	s = strings.TrimLeft(s, " \t")
	s = s[:min(len(s), numeralMax)]
	end := 0
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || s[end] == '.' || end == 0 && s[end] == '-') {
		end++
	}
	n, _ := strconv.ParseFloat(s[:end], 64)
	if human && end < len(s) {
		for i := strings.IndexByte("KMGTPE", s[end]&^0x20); i >= 0; i-- {
			n *= 1024
		}
	}
	return n
}

// work is what it costs to compare two lines, see Proc.Work. Where all of both is
// compared as it is, the first difference ends that.
func (k sortKey) work(a, b string) int {
	if k.from == 0 && !k.numeric && !k.human && !k.version && !k.ignoreCase && !k.ignoreBlank {
		return 8 + min(len(a), len(b))/8
	}
	return 32 + 2*(len(a)+len(b))
}

func (k sortKey) compare(a, b, separator string) int {
	a, b = k.of(a, separator), k.of(b, separator)
	if k.ignoreBlank {
		a, b = strings.TrimLeft(a, " \t"), strings.TrimLeft(b, " \t")
	}
	r := 0
	switch {
	case k.numeric || k.human:
		x, y := sortNumber(a, k.human), sortNumber(b, k.human)
		switch {
		case x < y:
			r = -1
		case x > y:
			r = 1
		}
	case k.version:
		r = compareVersions(a, b)
	case k.ignoreCase:
		r = strings.Compare(strings.ToUpper(a), strings.ToUpper(b))
	default:
		r = strings.Compare(a, b)
	}
	if k.reverse {
		return -r
	}
	return r
}

// compareVersions compares runs of digits as numbers.
func compareVersions(a, b string) int {
	for a != "" && b != "" {
		x, y := digitRun(a), digitRun(b)
		if x > 0 && y > 0 {
			p, q := strings.TrimLeft(a[:x], "0"), strings.TrimLeft(b[:y], "0")
			if len(p) != len(q) {
				return len(p) - len(q)
			}
			if r := strings.Compare(p, q); r != 0 {
				return r
			}
			a, b = a[x:], b[y:]
			continue
		}
		if a[0] != b[0] {
			return int(a[0]) - int(b[0])
		}
		a, b = a[1:], b[1:]
	}
	return len(a) - len(b)
}

func digitRun(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

func sortApplet(c *Call) int {
	o, ok := c.parse("nrufk:t:o:cbhVsdiMgmz", map[string]byte{"numeric-sort": 'n', "reverse": 'r', "unique": 'u', "key": 'k', "human-numeric-sort": 'h', "version-sort": 'V'}, "[-nrughMcszbdfiokt] [-o FILE] [-k START[.OFS][OPTS][,END[.OFS][OPTS]] [-t CHAR] [FILE]...")
	if !ok {
		return 2
	}
	global := sortKey{numeric: o.has('n') || o.has('g'), reverse: o.has('r'), ignoreCase: o.has('f'), human: o.has('h'), version: o.has('V'), ignoreBlank: o.has('b')}
	keys := []sortKey{}
	for _, s := range o.values['k'] {
		k, ok := parseKey(s)
		if !ok {
			c.fail("bad field specification")
			return 2
		}
		if !k.own {
			g := global
			g.from, g.fromChar, g.to, g.toChar = k.from, k.fromChar, k.to, k.toChar
			k = g
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		keys = append(keys, global)
	}
	var lines []string
	code := c.inputs(o.rest, func(_ string, r io.Reader) error {
		return c.eachLine(r, func(line []byte) bool {
			c.Charge(int64(len(line)) + 16)
			lines = append(lines, string(line))
			return true
		})
	})
	if code != 0 {
		return 2
	}
	return c.sortLines(o, lines, keys, global.reverse)
}

// checkOrder is what sort -c does.
func (c *Call) checkOrder(o *options, lines []string, order func(a, b string) int) int {
	for i := 1; i < len(lines); i++ {
		switch r := order(lines[i-1], lines[i]); {
		case r < 0 || r == 0 && !o.has('u'):
		case c.style == GNU:
			return c.fail("-:%d: disorder: %s", i+1, lines[i])
		default:
			_, _ = io.WriteString(c.Stderr(), "Check line "+strconv.Itoa(i)+"\n")
			return 1
		}
	}
	return 0
}

func (c *Call) sortLines(o *options, lines []string, keys []sortKey, reverse bool) int {
	separator := o.value('t')
	byKeys := func(a, b string) int {
		for _, k := range keys {
			c.Work(k.work(a, b))
			if r := k.compare(a, b, separator); r != 0 {
				return r
			}
		}
		return 0
	}
	order := func(a, b string) int {
		r := byKeys(a, b)
		if r == 0 && !o.has('s') && !o.has('u') {
			c.Work(8 + min(len(a), len(b))/8)
			r = strings.Compare(a, b)
			if reverse {
				r = -r
			}
		}
		return r
	}
	if o.has('c') {
		return c.checkOrder(o, lines, order)
	}
	c.Step(1 + len(lines)/16)
	slices.SortStableFunc(lines, order)
	if o.has('u') {
		lines = slices.CompactFunc(lines, func(a, b string) bool { return byKeys(a, b) == 0 })
	}
	var w io.Writer = c
	if name := o.value('o'); name != "" {
		f, err := c.create(name, vfs.Truncate)
		if err != nil {
			c.cannotOpen(name, err)
			return 2
		}
		w = f
	}
	for _, line := range lines {
		if _, err := io.WriteString(w, line+"\n"); err != nil {
			return 2
		}
	}
	return 0
}
