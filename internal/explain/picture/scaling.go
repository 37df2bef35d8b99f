package picture

import (
	"fmt"
	"strings"

	"github.com/kubesim-dev/kubesim/internal/explain"
)

// The measures of the charts of an autoscaler. Unit: pixels.
const (
	loadHeight  = 110
	podsHeight  = 120
	scalingGap  = 22
	loadTopMin  = 1.5 // of the target
	metricLines = 5   // colours
)

// scaling draws what an autoscaler saw, and what came of it: its metrics as shares of their
// targets above, the Pods that it wanted and those that were ready below.
func (p *picture) scaling() {
	c := p.story.Scaling
	if c == nil || len(c.Samples) == 0 {
		return
	}
	p.loads(c)
	p.pods(c)
}

// loads draws the metrics, with the target and what is tolerated around it.
func (p *picture) loads(c *explain.Scaling) {
	top, peak := loadTopMin, 0.0
	for i := range c.Samples {
		for _, load := range c.Samples[i].Load {
			if load != nil {
				top, peak = max(top, *load*1.05), max(peak, *load)
			}
		}
	}
	y := func(share float64) float64 { return p.y + loadHeight*(1-max(share, 0)/top) }
	right := p.axis.left + p.axis.width
	fmt.Fprintf(p.out, `<rect class="tolerated" x="%s" y="%s" width="%s" height="%s"/>`, px(p.axis.left), px(y(1+c.Up)), px(p.axis.width), px(y(1-c.Down)-y(1+c.Up)))
	fmt.Fprintf(p.out, `<path class="bound" fill="none" d="M%s %sH%s"/>`, px(p.axis.left), px(y(1)), px(right))
	fmt.Fprintf(p.out, `<path class="grid" fill="none" d="M%s %sH%s"/>`, px(p.axis.left), px(y(0)), px(right))
	p.text("dim", right+6, y(1)+4, markFont, "target")
	if y(1)-y(peak) > headFont {
		p.text("dim", right+6, y(peak)+4, markFont, fmt.Sprintf("%.3g×", peak))
	}
	p.text("job", svgMargin, p.y+12, headFont, "Load")
	room := max(int((p.axis.left-svgMargin-30)/(markFont*charWidth)), 4)
	for m, metric := range c.Metrics {
		path := p.steps(len(c.Samples), func(i int) (float64, float64, bool) {
			s := &c.Samples[i]
			if m >= len(s.Load) || s.Load[m] == nil {
				return p.axis.x(s.At), 0, false
			}
			return p.axis.x(s.At), y(*s.Load[m]), true
		})
		fmt.Fprintf(p.out, `<path class="load m%d" fill="none" d="%s"><title>%s</title></path>`, m%metricLines, path, escape(metric.Name))
		line := p.y + 30 + float64(m)*26
		if line > p.y+loadHeight {
			continue // its colour and its title tell it
		}
		fmt.Fprintf(p.out, `<path class="load m%d" d="M%d %sh12"/>`, m%metricLines, svgMargin, px(line-4))
		p.text("dim", svgMargin+18, line, markFont, shorten(metric.Name, room))
		p.text("dim", svgMargin+18, line+12, markFont, shorten("target "+metric.Target, room))
	}
	p.out.WriteByte('\n')
	p.y += loadHeight + scalingGap
}

// shorten cuts a text that is too long for its room.
func shorten(text string, runes int) string {
	if r := []rune(text); len(r) > runes {
		return string(r[:runes-1]) + "…"
	}
	return text
}

// pods draws how many Pods were wanted and how many were ready, between the limits.
func (p *picture) pods(c *explain.Scaling) {
	top := int32(1)
	for i := range c.Samples {
		s := &c.Samples[i]
		top = max(top, s.Desired, s.Ready, s.Max)
	}
	y := func(n int32) float64 { return p.y + podsHeight*(1-float64(n)/float64(top)) }
	of := func(number func(*explain.ScalingSample) int32) func(int) (float64, float64, bool) {
		return func(i int) (float64, float64, bool) {
			return p.axis.x(c.Samples[i].At), y(number(&c.Samples[i])), true
		}
	}
	n, last := len(c.Samples), &c.Samples[len(c.Samples)-1]
	ready := p.steps(n, of(func(s *explain.ScalingSample) int32 { return s.Ready }))
	fmt.Fprintf(p.out, `<path class="v1 area" d="%sV%sH%sz"><title>ready</title></path>`, ready, px(y(0)), px(p.axis.x(c.Samples[0].At)))
	for _, line := range []struct {
		class, label string
		of           func(*explain.ScalingSample) int32
	}{
		{"bound", "max", func(s *explain.ScalingSample) int32 { return s.Max }},
		{"bound", "min", func(s *explain.ScalingSample) int32 { return s.Min }},
		{"want desired", "", func(s *explain.ScalingSample) int32 { return s.Desired }},
	} {
		fmt.Fprintf(p.out, `<path class="%s" fill="none" d="%s"/>`, line.class, p.steps(n, of(line.of)))
		text := fmt.Sprint(line.of(last))
		near := line.label != "" && abs(y(line.of(last))-y(last.Desired)) < headFont
		if !near {
			p.text("dim", p.axis.left+p.axis.width+6, y(line.of(last))+4, markFont, strings.TrimSpace(text+" "+line.label))
		}
	}
	p.text("job", svgMargin, p.y+12, headFont, "Pods")
	p.text("dim", svgMargin, p.y+30, markFont, "line: wanted")
	p.text("dim", svgMargin, p.y+44, markFont, "area: ready")
	p.text("dim", svgMargin, p.y+58, markFont, "dashed: min, max")
	p.out.WriteByte('\n')
	p.y += podsHeight + chartGap
}

// steps is the path of a number over time, each up to the next, with gaps where there is
// none.
func (p *picture) steps(n int, at func(i int) (x, y float64, ok bool)) string {
	var path strings.Builder
	drawn := false
	for i := range n {
		x, y, ok := at(i)
		to := p.axis.left + p.axis.width
		if i+1 < n {
			to, _, _ = at(i + 1)
		}
		switch {
		case !ok:
		case drawn:
			fmt.Fprintf(&path, "V%sH%s", px(y), px(to))
		default:
			fmt.Fprintf(&path, "M%s %sH%s", px(x), px(y), px(to))
		}
		drawn = ok
	}
	return path.String()
}
