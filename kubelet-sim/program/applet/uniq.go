package applet

import (
	"io"
	"slices"
	"strconv"
	"strings"
)

func uniq(c *Call) int {
	o, ok := c.parse("cduif:s:w:", map[string]byte{"count": 'c', "repeated": 'd', "unique": 'u', "ignore-case": 'i'}, "[-cduiz] [-f,s,w N] [FILE [OUTFILE]]")
	if !ok {
		return 1
	}
	skip, _ := strconv.Atoi(o.value('f'))
	skipChars, _ := strconv.Atoi(o.value('s'))
	width, err := strconv.Atoi(o.value('w'))
	if err != nil {
		width = lineMax
	}
	key := func(line string) string {
		line = line[fieldStart(line, "", skip):]
		line = line[min(skipChars, len(line)):]
		line = line[:min(width, len(line))]
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
			c.Work(4 * (len(s) + len(last)))
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

// merged are the ranges in ascending order, none of which meets another.
func (s spans) merged() spans {
	slices.SortFunc(s, func(a, b [2]int) int { return a[0] - b[0] })
	out := s[:0]
	for _, r := range s {
		if n := len(out); n > 0 && r[0] <= out[n-1][1]+1 {
			out[n-1][1] = max(out[n-1][1], r[1])
			continue
		}
		out = append(out, r)
	}
	return out
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
	list = list.merged()
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
			c.Work(len(line) + 8*len(list))
			for _, r := range list {
				if r[0] > len(line) {
					break
				}
				c.print(string(line[r[0]-1 : min(r[1], len(line))]))
			}
			c.print("\n")
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
	c.Work(4*len(line) + 8*len(list))
	rest, more, shown := line, true, false
	for n := 1; more && len(list) > 0; n++ {
		var field string
		field, rest, more = strings.Cut(rest, delimiter)
		if n < list[0][0] {
			continue
		}
		if shown {
			c.print(delimiter)
		}
		shown = true
		c.print(field)
		if n == list[0][1] {
			list = list[1:]
		}
	}
	c.print("\n")
}
