package applet

// sedSpace is the pattern space or the hold space. Lines are added to it without
// a copy of what it holds.
type sedSpace struct {
	s     string
	bytes []byte // what it is, where stale is set
	stale bool
}

func (p *sedSpace) set(s string) { *p = sedSpace{s: s} }

func (p *sedSpace) len() int {
	if p.stale {
		return len(p.bytes)
	}
	return len(p.s)
}

// get is the space as a text.
func (p *sedSpace) get(c *Call) string {
	if p.stale {
		c.Work(len(p.bytes))
		p.s, p.stale = string(p.bytes), false
	}
	return p.s
}

// add adds a newline and a line.
func (p *sedSpace) add(c *Call, line string) {
	if !p.stale && len(p.bytes) != len(p.s) {
		c.Work(len(p.s))
		p.bytes = append([]byte(nil), p.s...)
	}
	c.Work(len(line))
	p.bytes = append(append(p.bytes, '\n'), line...)
	p.stale = true
}
