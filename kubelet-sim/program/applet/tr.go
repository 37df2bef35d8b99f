package applet

import (
	"bytes"
	"io"
	"slices"
	"strconv"
	"strings"
)

// trSet expands a set of tr: ranges, classes and escapes.
func trSet(s string) []byte {
	text, _ := unescape(s, false)
	var set []byte
	for i := 0; i < len(text); i++ {
		if n := classEnd(text[i:]); n > 0 {
			set = append(set, class(text[i+2:i+n-2])...)
			i += n - 1
			continue
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
	for _, set := range o.rest {
		c.Work(64 * len(set))
	}
	from := trSet(o.rest[0])
	if o.has('c') || o.has('C') {
		var rest []byte
		in := memberOf(from)
		for b := range 256 {
			if !in[b] {
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
	return c.translate(mapped, memberOf(squeeze), o.has('s'))
}

// memberOf is a set as a table.
func memberOf(set []byte) (in [256]bool) {
	for _, b := range set {
		in[b] = true
	}
	return in
}

func (c *Call) translate(mapped [256]int, squeeze [256]bool, squeezing bool) int {
	last := -1
	buf := make([]byte, 4096)
	for {
		n, err := c.Stdin().Read(buf)
		out := make([]byte, 0, n)
		for _, b := range buf[:n] {
			m := mapped[b]
			if m < 0 || squeezing && m == last && squeeze[m] {
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
				c.Work(64)
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

// pasteStdin is paste - -: each row takes n lines of standard input.
func (c *Call) pasteStdin(n int, delimiter string) int {
	var row []string
	show := func() {
		if len(row) > 0 {
			c.print(strings.Join(append(row, make([]string, n-len(row))...), delimiter) + "\n")
			row = nil
		}
	}
	code := c.inputs(nil, func(_ string, r io.Reader) error {
		return c.eachLine(r, func(line []byte) bool {
			if row = append(row, string(line)); len(row) == n {
				show()
			}
			return true
		})
	})
	show()
	return code
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
	if len(o.rest) > 0 && !o.has('s') && !slices.ContainsFunc(o.rest, func(n string) bool { return n != "-" }) {
		return c.pasteStdin(len(o.rest), delimiter)
	}
	var columns [][]string
	code := c.inputs(o.rest, func(_ string, r io.Reader) error {
		data, err := c.readAll(r)
		columns = append(columns, c.split(strings.TrimSuffix(string(data), "\n"), "\n"))
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
		c.Work(32 * len(columns))
		for j, col := range columns {
			if i < len(col) {
				row[j] = col[i]
			}
		}
		c.print(strings.Join(row, delimiter) + "\n")
	}
	return code
}
