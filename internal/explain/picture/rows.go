package picture

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubesim-dev/kubesim/internal/explain"
)

// rows draws all rows and returns them; it moves y below them.
func (p *picture) rows() string {
	head := p.out
	p.out = &strings.Builder{}
	p.y = rowsY
	p.chart()
	p.lanes()
	p.scaling()
	for i := range p.story.Rows {
		r := &p.story.Rows[i]
		if kind, _, _ := strings.Cut(r.Object, "/"); kind == "pod" {
			p.podRow(r, i)
		} else {
			p.version(r)
			p.jobRow(r)
		}
	}
	body := p.out.String()
	p.out = head
	return body
}

// podRow draws a container's phases, with its exit codes.
func (p *picture) podRow(r *explain.Row, i int) {
	h := p.height
	if i%2 == 0 {
		fmt.Fprintf(p.out, `<rect class="band" x="%d" y="%s" width="%d" height="%s" opacity="0.55"/>`, svgMargin, px(p.y), svgWidth-2*svgMargin, px(h))
	}
	p.text("label", svgMargin+14, p.y+h/2+p.font*0.36, p.font, rowLabel(r))
	for k := range r.Bars {
		p.bar(r, k, p.y, h)
	}
	for k, b := range r.Bars {
		p.goesOn(&b, p.y+h/2)
		if b.Exit == nil {
			continue
		}
		x, room := p.axis.x(b.To), float64(svgWidth-svgMargin)
		if k+1 < len(r.Bars) {
			room = p.axis.x(r.Bars[k+1].To)
		}
		p.exitCode(&b, x, room, p.y+h/2, k+1 == len(r.Bars))
	}
	p.out.WriteByte('\n')
	p.y += h
}

// bar draws one phase.
func (p *picture) bar(r *explain.Row, k int, y, row float64) {
	b := &r.Bars[k]
	h := barHeight(b.Phase, row)
	x := p.axis.x(b.From)
	width := max(p.axis.x(b.To)-x, 1.5)
	fmt.Fprintf(p.out, `<rect class="%s" x="%s" y="%s" width="%s" height="%s" rx="2"><title>%s</title></rect>`,
		b.Phase, px(x), px(y+(row-h)/2), px(width), px(h), escape(fmt.Sprintf("%s: %s, from %s to %s", r.Object, b, explain.Offset(b.From.Sub(p.story.Start)), explain.Offset(b.To.Sub(p.story.Start)))))
}

// goesOn marks a bar that does not end where the picture does.
func (p *picture) goesOn(b *explain.Bar, y float64) {
	if b.Open {
		fmt.Fprintf(p.out, `<path class="dim" d="M%s %sl6 4l-6 4z"/>`, px(p.axis.x(b.To)+3), px(y-4))
	}
}

// exitCode draws an exit code at x, with its number if that fits before room.
func (p *picture) exitCode(b *explain.Bar, x, room, y float64, last bool) {
	text := ""
	if n := fmt.Sprint(*b.Exit); *b.Exit != 0 && x+14+textWidth(n, p.font) < room {
		text = n
	}
	if !last { // what follows is below it
		width := 12 + textWidth(text, p.font)
		if text != "" {
			width += 3
		}
		fmt.Fprintf(p.out, `<rect class="chip" x="%s" y="%s" width="%s" height="%s" rx="2"/>`, px(x), px(y-p.height/2+3), px(width), px(p.height-6))
	}
	p.exit(x+6, y, *b.Exit)
	if text != "" {
		p.text("bad job", x+12, y+p.font*0.36, p.font, text)
	}
}

// The measures of a Job's row. Unit: pixels.
const (
	jobHeight  = 22
	markHeight = 14
	markFont   = 10
)

// place is where the text of a mark stands, on its Job's line if that is 0, else below.
type place struct {
	from float64
	line int
}

// jobRow draws a Job, or what else keeps Pods: when it was active, suspended, rolling out
// or in back-off, and the marks of its conditions, on as many lines as they need.
func (p *picture) jobRow(r *explain.Row) {
	p.y += 6
	p.text("job", svgMargin, p.y+jobHeight/2+4, headFont, rowLabel(r))
	for k := range r.Bars {
		p.bar(r, k, p.y, jobHeight)
		p.goesOn(&r.Bars[k], p.y+jobHeight/2)
	}
	places := p.places(r)
	lines := 0
	for i, m := range r.Marks { // the lines first: texts are above them
		at, x, y := places[i], p.axis.x(m.At), p.y+jobHeight/2
		lines = max(lines, at.line)
		if at.line > 0 {
			fmt.Fprintf(p.out, `<line class="line %s" x1="%s" y1="%s" x2="%s" y2="%s"/>`, markClass(&m), px(x), px(y), px(x), px(y+markHeight*float64(at.line)+3))
		}
	}
	for i, m := range r.Marks {
		at, x, y := places[i], p.axis.x(m.At), p.y+jobHeight/2
		fmt.Fprintf(p.out, `<path class="%s" d="M%s %sl4.5 4.5l-4.5 4.5l-4.5 -4.5z"><title>%s</title></path>`, markClass(&m), px(x), px(y-4.5),
			escape(explain.Offset(m.At.Sub(p.story.Start))+": "+m.Text))
		if at.line < 0 {
			continue
		}
		base := y + 3.5 + markHeight*float64(at.line)
		fmt.Fprintf(p.out, `<rect class="chip" x="%s" y="%s" width="%s" height="12"/>`, px(at.from-1), px(base-9), px(textWidth(m.Text, markFont)+2))
		p.text(markClass(&m), at.from, base, markFont, m.Text)
	}
	p.out.WriteByte('\n')
	p.y += jobHeight + markHeight*float64(lines) + 4
}

// markClass is that of a mark's colour.
func markClass(m *explain.Mark) string {
	if m.Tone == explain.Plain {
		return "plain"
	}
	return string(m.Tone)
}

// places finds room for the texts of marks: right of the mark on the Job's line, if
// nothing is there, else below it, right or left. Line -1 is none: a Job that is about to
// end says so at its end.
func (p *picture) places(r *explain.Row) []place {
	var taken [][][2]float64 // by line
	overlaps := func(line int, from, to float64) bool {
		return line < len(taken) && slices.ContainsFunc(taken[line], func(s [2]float64) bool { return from < s[1] && s[0] < to })
	}
	taken = append(taken, nil)
	for _, b := range r.Bars {
		taken[0] = append(taken[0], [2]float64{p.axis.x(b.From), p.axis.x(b.To)})
	}
	for _, m := range r.Marks {
		x := p.axis.x(m.At)
		taken[0] = append(taken[0], [2]float64{x - 5, x + 5})
	}
	out := make([]place, len(r.Marks))
	for i, m := range r.Marks {
		x, width := p.axis.x(m.At), textWidth(m.Text, markFont)
		if i+1 < len(r.Marks) && endsSoon(m) && p.axis.x(r.Marks[i+1].At)-x < 2*width {
			out[i].line = -1
			continue
		}
		from := x + 8
		if from+width > svgWidth-svgMargin {
			from = max(x-8-width, p.axis.left)
		}
		line := 0
		for overlaps(line, from-2, from+width+8) {
			line++
		}
		for len(taken) <= line {
			taken = append(taken, nil)
		}
		taken[line] = append(taken[line], [2]float64{from, from + width})
		out[i] = place{from, line}
	}
	return out
}

// endsSoon reports whether a mark says that its Job is about to end.
func endsSoon(m explain.Mark) bool {
	return strings.HasPrefix(m.Text, "FailureTarget") || strings.HasPrefix(m.Text, "SuccessCriteriaMet")
}
