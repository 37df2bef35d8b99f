package applet

import (
	"bytes"
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

func sortNumber(s string, human bool) float64 {
	s = strings.TrimLeft(s, " \t")
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

func (c *Call) sortLines(o *options, lines []string, keys []sortKey, reverse bool) int {
	separator := o.value('t')
	byKeys := func(a, b string) int {
		for _, k := range keys {
			if r := k.compare(a, b, separator); r != 0 {
				return r
			}
		}
		return 0
	}
	order := func(a, b string) int {
		r := byKeys(a, b)
		if r == 0 && !o.has('s') && !o.has('u') {
			r = strings.Compare(a, b)
			if reverse {
				r = -r
			}
		}
		return r
	}
	if o.has('c') {
		if !slices.IsSortedFunc(lines, order) {
			return c.fail("disorder")
		}
		return 0
	}
	c.Step(1 + len(lines)/8)
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

func uniq(c *Call) int {
	o, ok := c.parse("cduif:s:w:", map[string]byte{"count": 'c', "repeated": 'd', "unique": 'u', "ignore-case": 'i'}, "[-cduiz] [-f,s,w N] [FILE [OUTFILE]]")
	if !ok {
		return 1
	}
	skip, _ := strconv.Atoi(o.value('f'))
	key := func(line string) string {
		line = line[fieldStart(line, "", skip):]
		if o.has('i') {
			line = strings.ToLower(line)
		}
		return line
	}
	last, n, started := "", 0, false
	show := func() {
		if !started || o.has('d') && n < 2 || o.has('u') && n > 1 {
			return
		}
		if o.has('c') {
			c.printf("%7d ", n)
		}
		c.print(last + "\n")
	}
	code := c.inputs(o.rest[:min(1, len(o.rest))], func(_ string, r io.Reader) error {
		return c.eachLine(r, func(line []byte) bool {
			s := string(line)
			if started && key(s) == key(last) {
				n++
				return true
			}
			show()
			last, n, started = s, 1, true
			return true
		})
	})
	show()
	return code
}

// spans are the ranges of a list such as 1,3-5,7-.
type spans [][2]int

func parseSpans(s string) (spans, bool) {
	var list spans
	for part := range strings.SplitSeq(s, ",") {
		from, to, isRange := strings.Cut(part, "-")
		a, errA := strconv.Atoi(from)
		if from == "" && isRange {
			a, errA = 1, nil
		}
		b, errB := a, error(nil)
		if isRange {
			b, errB = strconv.Atoi(to)
			if to == "" {
				b, errB = 1<<30, nil
			}
		}
		if errA != nil || errB != nil || a < 1 || b < a {
			return nil, false
		}
		list = append(list, [2]int{a, b})
	}
	return list, true
}

func (s spans) has(n int) bool {
	for _, r := range s {
		if n >= r[0] && n <= r[1] {
			return true
		}
	}
	return false
}

func cut(c *Call) int {
	o, ok := c.parse("b:c:f:d:sn", map[string]byte{"bytes": 'b', "characters": 'c', "fields": 'f', "delimiter": 'd', "only-delimited": 's', "output-delimiter": 'O'}, "[OPTIONS] [FILE]...")
	if !ok {
		return 1
	}
	text := o.value('b') + o.value('c') + o.value('f')
	if text == "" {
		if c.style == GNU {
			c.fail("you must specify a list of bytes, characters, or fields")
			return c.usage("")
		}
		return c.fail("expected a list of bytes, characters, or fields")
	}
	list, ok := parseSpans(text)
	if !ok {
		return c.fail("invalid range %s", text)
	}
	delimiter := "\t"
	if o.has('d') {
		delimiter = o.value('d')
		if len([]rune(delimiter)) > 1 {
			return c.fail("the delimiter must be a single character")
		}
	}
	return c.inputs(o.rest, func(_ string, r io.Reader) error {
		return c.eachLine(r, func(line []byte) bool {
			if o.has('f') {
				c.cutFields(string(line), delimiter, list, o.has('s'))
				return true
			}
			var kept []byte
			for i, b := range line {
				if list.has(i + 1) {
					kept = append(kept, b)
				}
			}
			c.print(string(kept) + "\n")
			return true
		})
	})
}

func (c *Call) cutFields(line, delimiter string, list spans, only bool) {
	if delimiter == "" || !strings.Contains(line, delimiter) {
		if !only {
			c.print(line + "\n")
		}
		return
	}
	var kept []string
	for i, f := range strings.Split(line, delimiter) {
		if list.has(i + 1) {
			kept = append(kept, f)
		}
	}
	c.print(strings.Join(kept, delimiter) + "\n")
}

// trSet expands a set of tr: ranges, classes and escapes.
func trSet(s string) []byte {
	text, _ := unescape(s, false)
	var set []byte
	for i := 0; i < len(text); i++ {
		if strings.HasPrefix(text[i:], "[:") {
			if end := strings.Index(text[i:], ":]"); end > 0 {
				set = append(set, class(text[i+2:i+end])...)
				i += end + 1
				continue
			}
		}
		if i+2 < len(text) && text[i+1] == '-' && text[i+2] >= text[i] {
			for b := int(text[i]); b <= int(text[i+2]); b++ {
				set = append(set, byte(b))
			}
			i += 2
			continue
		}
		set = append(set, text[i])
	}
	return set
}

func class(name string) []byte {
	in := map[string]func(b byte) bool{
		"alpha":  func(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' },
		"digit":  func(b byte) bool { return b >= '0' && b <= '9' },
		"alnum":  func(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' || b >= '0' && b <= '9' },
		"lower":  func(b byte) bool { return b >= 'a' && b <= 'z' },
		"upper":  func(b byte) bool { return b >= 'A' && b <= 'Z' },
		"space":  func(b byte) bool { return b == ' ' || b >= '\t' && b <= '\r' },
		"blank":  func(b byte) bool { return b == ' ' || b == '\t' },
		"punct":  func(b byte) bool { return strings.IndexByte("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", b) >= 0 },
		"cntrl":  func(b byte) bool { return b < 32 || b == 127 },
		"print":  func(b byte) bool { return b >= 32 && b < 127 },
		"graph":  func(b byte) bool { return b > 32 && b < 127 },
		"xdigit": func(b byte) bool { return b >= '0' && b <= '9' || b|0x20 >= 'a' && b|0x20 <= 'f' },
	}[name]
	var set []byte
	for b := 0; in != nil && b < 256; b++ {
		if b < 128 && in(byte(b)) {
			set = append(set, byte(b))
		}
	}
	return set
}

func tr(c *Call) int {
	o, ok := c.parse("+cCdst", map[string]byte{"delete": 'd', "squeeze-repeats": 's', "complement": 'c'}, "[-cds] STRING1 [STRING2]\n\nTranslate, squeeze, or delete characters from stdin, writing to stdout")
	if !ok {
		return 1
	}
	if len(o.rest) == 0 || len(o.rest) == 1 && !o.has('d') && !o.has('s') {
		return c.usage("[-cds] STRING1 [STRING2]\n\nTranslate, squeeze, or delete characters from stdin, writing to stdout")
	}
	from := trSet(o.rest[0])
	if o.has('c') || o.has('C') {
		var rest []byte
		for b := range 256 {
			if bytes.IndexByte(from, byte(b)) < 0 {
				rest = append(rest, byte(b))
			}
		}
		from = rest
	}
	var to []byte
	if len(o.rest) > 1 {
		to = trSet(o.rest[1])
	}
	var mapped [256]int
	for i := range mapped {
		mapped[i] = i
	}
	for i, b := range from {
		switch {
		case o.has('d'):
			mapped[b] = -1
		case len(to) > 0:
			mapped[b] = int(to[min(i, len(to)-1)])
		}
	}
	squeeze := to
	if len(o.rest) == 1 {
		squeeze = from
	}
	return c.translate(mapped, squeeze, o.has('s'))
}

func (c *Call) translate(mapped [256]int, squeeze []byte, squeezing bool) int {
	last := -1
	buf := make([]byte, 4096)
	for {
		n, err := c.Stdin().Read(buf)
		out := make([]byte, 0, n)
		for _, b := range buf[:n] {
			m := mapped[b]
			if m < 0 || squeezing && m == last && bytes.IndexByte(squeeze, byte(m)) >= 0 {
				continue
			}
			last = m
			out = append(out, byte(m))
		}
		c.print(string(out))
		if err != nil || n == 0 {
			return 0
		}
	}
}

func shuf(c *Call) int {
	o, ok := c.parse("n:i:e", nil, "[-n NUM] { -e ARG... | -i L-H | FILE }")
	if !ok {
		return 1
	}
	var lines []string
	switch {
	case o.has('e'):
		lines = o.rest
	case o.has('i'):
		r, ok := parseSpans(o.value('i'))
		if !ok || r[0][1]-r[0][0] > 1<<20 {
			return c.fail("bad range '%s'", o.value('i'))
		}
		for n := r[0][0]; n <= r[0][1]; n++ {
			lines = append(lines, strconv.Itoa(n))
		}
		c.Step(len(lines) / 16)
	default:
		c.inputs(o.rest, func(_ string, r io.Reader) error {
			return c.eachLine(r, func(line []byte) bool {
				c.Charge(int64(len(line)) + 16)
				lines = append(lines, string(line))
				return true
			})
		})
	}
	for i := len(lines) - 1; i > 0; i-- {
		j := int(c.Machine().Random() % uint64(i+1))
		lines[i], lines[j] = lines[j], lines[i]
	}
	if n, err := strconv.Atoi(o.value('n')); err == nil && n < len(lines) {
		lines = lines[:max(n, 0)]
	}
	for _, line := range lines {
		c.print(line + "\n")
	}
	return 0
}

func fold(c *Call) int {
	o, ok := c.parse("w:sb", nil, "[-bs] [-w WIDTH] [FILE]...")
	if !ok {
		return 1
	}
	width := 80
	if n, err := strconv.Atoi(o.value('w')); err == nil && n > 0 {
		width = n
	}
	return c.inputs(o.rest, func(_ string, r io.Reader) error {
		return c.eachLine(r, func(line []byte) bool {
			for len(line) > width {
				at := width
				if i := bytes.LastIndexByte(line[:width], ' '); o.has('s') && i > 0 {
					at = i + 1
				}
				c.print(string(line[:at]) + "\n")
				line = line[at:]
			}
			c.print(string(line) + "\n")
			return true
		})
	})
}

func paste(c *Call) int {
	o, ok := c.parse("d:s", nil, "[OPTIONS] [FILE]...")
	if !ok {
		return 1
	}
	delimiter := "\t"
	if o.has('d') {
		delimiter, _ = unescape(o.value('d'), false)
	}
	var columns [][]string
	code := c.inputs(o.rest, func(_ string, r io.Reader) error {
		data, err := c.readAll(r)
		columns = append(columns, strings.Split(strings.TrimSuffix(string(data), "\n"), "\n"))
		return err
	})
	if o.has('s') {
		for _, col := range columns {
			c.print(strings.Join(col, delimiter) + "\n")
		}
		return code
	}
	rows := 0
	for _, col := range columns {
		rows = max(rows, len(col))
	}
	for i := range rows {
		row := make([]string, len(columns))
		for j, col := range columns {
			if i < len(col) {
				row[j] = col[i]
			}
		}
		c.print(strings.Join(row, delimiter) + "\n")
	}
	return code
}
