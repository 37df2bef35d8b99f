package picture

import (
	"fmt"

	"github.com/kubesim-dev/kubesim/internal/explain"
)

// The measures of the lanes of places. Unit: pixels.
const (
	laneHeight = 24
	laneGap    = 4
	legendLine = 18
)

// lanes draws each ordinal with the Pods that it had, in the colour of their version: full
// while they are ready, pale while they are not.
func (p *picture) lanes() {
	c := p.story.Places
	if c == nil {
		return
	}
	p.lanesLegend(c)
	for i := range c.Lanes {
		l := &c.Lanes[i]
		p.text("label", svgMargin+14, p.y+laneHeight/2+4, headFont, rowLabel(&explain.Row{Object: l.Name}))
		for k := range l.Spans {
			p.laneSpan(c, l, k)
		}
		p.out.WriteByte('\n')
		p.y += laneHeight + laneGap
	}
	p.y += laneGap
}

// lanesLegend names the versions and the states, on as many lines as they need.
func (p *picture) lanesLegend(c *explain.Places) {
	x := p.axis.left
	p.y += 4
	add := func(class, overlay, text string) {
		width := 18 + textWidth(text, markFont) + 16
		if x > p.axis.left && x+width > svgWidth-svgMargin {
			x, p.y = p.axis.left, p.y+legendLine
		}
		for _, layer := range []string{class, overlay} {
			if layer != "" {
				fmt.Fprintf(p.out, `<rect class="%s" x="%s" y="%s" width="12" height="10" rx="2"/>`, layer, px(x), px(p.y))
			}
		}
		p.text("dim", x+17, p.y+9, markFont, text)
		x += width
	}
	for v, version := range c.Versions {
		text := version.Revision
		if version.Name != "" && version.Revision != "revision "+version.Name {
			text += ", " + version.Name
		}
		add(fmt.Sprintf("v%d", v%versionColours), "", text)
	}
	used := map[explain.SpanState]bool{}
	for _, l := range c.Lanes {
		for _, s := range l.Spans {
			used[s.State] = true
		}
	}
	for _, state := range []explain.SpanState{explain.IsReady, explain.IsNotReady, explain.IsBackOff, explain.IsTerminating} {
		if used[state] {
			pale, overlay := spanClasses(state)
			add("v0"+pale, overlay, string(state))
		}
	}
	p.out.WriteByte('\n')
	p.y += legendLine + 2
}

// spanClasses are what a state adds to the class of a version, and what is drawn over it.
func spanClasses(state explain.SpanState) (pale, overlay string) {
	switch state {
	case explain.IsReady:
		return "", ""
	case explain.IsBackOff:
		return " unready", "back-off over"
	case explain.IsTerminating:
		return " unready", "terminating over"
	}
	return " unready", ""
}

// laneSpan draws one span of a lane, which is half as high if another Pod is beside it.
func (p *picture) laneSpan(c *explain.Places, l *explain.Lane, k int) {
	s := &l.Spans[k]
	x := p.axis.x(s.From)
	to := s.To
	if s.Open {
		to = p.axis.end
	}
	width := max(p.axis.x(to)-x, 1.5)
	y, h := p.y, float64(laneHeight)
	if beside(l, k) {
		h /= 2
		y += h * float64(s.Line)
	}
	pale, overlay := spanClasses(s.State)
	title := fmt.Sprintf("%s, %s: %s from %s to %s", l.Name, c.Versions[s.Version].Revision, s.State,
		explain.Offset(s.From.Sub(p.story.Start)), explain.Offset(s.To.Sub(p.story.Start)))
	fmt.Fprintf(p.out, `<rect class="v%d%s" x="%s" y="%s" width="%s" height="%s" rx="2"><title>%s</title></rect>`,
		s.Version%versionColours, pale, px(x), px(y), px(width), px(h), escape(title))
	if overlay != "" {
		fmt.Fprintf(p.out, `<rect class="%s" x="%s" y="%s" width="%s" height="%s" rx="2"/>`, overlay, px(x), px(y), px(width), px(h))
	}
	if s.Open {
		fmt.Fprintf(p.out, `<path class="dim" d="M%s %sl6 4l-6 4z"/>`, px(x+width+3), px(y+h/2-4))
	}
}

// beside reports whether another Pod is at the place at the same time.
func beside(l *explain.Lane, k int) bool {
	a := &l.Spans[k]
	for i := range l.Spans {
		b := &l.Spans[i]
		if b.UID != a.UID && b.From.Before(a.To) && a.From.Before(b.To) {
			return true
		}
	}
	return false
}
