// Package picture draws a [explain.Story] as an SVG: a lane for each Job and each
// container, what it did and when, and of a rollout how many Pods of each version ran.
//
// Invariants: the same story gives the same bytes; texts do not overlap.
package picture

import (
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/kubesim-dev/kubesim/internal/explain"
	"github.com/kubesim-dev/kubesim/internal/terminal"
)

// The measures of a picture. Unit: pixels.
const (
	svgWidth  = 1200
	svgMargin = 16
	// charWidth is that of a character of the font, per pixel of its size.
	charWidth = 0.602
	labelMax  = 34 // characters
	headFont  = 11
	// exitRoom is what the last exit code needs at the right.
	exitRoom = 56
)

// svgStyle gives each phase a colour of the Okabe-Ito palette, which the colour-blind can
// tell apart, and those that are no progress a hatching too. The background is the
// picture's own, so that it can be read on any page.
const svgStyle = `
svg { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
.bg { fill: #ffffff; } text { fill: #1f2328; } .dim { fill: #59636e; } .grid { stroke: #d8dee4; } .band { fill: #f4f6f8; }
.title { font-size: 17px; font-weight: bold; } .job { font-weight: bold; }
.pending { fill: #dfe3e8; stroke: #8c959f; } .pulling { fill: #56b4e9; } .running { fill: #0072b2; }
.back-off { fill: url(#hatch); stroke: #b37700; } .terminating { fill: url(#cross); stroke: #a0527f; }
.active { fill: #6e7781; } .rolling-out { fill: #b37700; }
.v0 { fill: #8c959f; } .v1 { fill: #0072b2; } .v2 { fill: #009e73; } .v3 { fill: #cc79a7; } .v4 { fill: #e69f00; } .v5 { fill: #56b4e9; } .unready { fill-opacity: 0.35; }
.m0 { stroke: #0072b2; } .m1 { stroke: #e69f00; } .m2 { stroke: #009e73; } .m3 { stroke: #cc79a7; } .m4 { stroke: #56b4e9; } .load { stroke-width: 2.2; }
.tolerated { fill: #009e73; fill-opacity: 0.16; } .area { fill-opacity: 0.45; } .desired { stroke-width: 2.4; } .over { fill-opacity: 0.6; }
.want { stroke: #1f2328; } .bound { stroke: #1f2328; stroke-dasharray: 5 4; } .suspended, .paused { fill: url(#dots); stroke: #8c959f; }
.good { fill: #007a59; } .bad { fill: #c04f00; } .client { fill: #1f2328; } .wait { fill: #b37700; }
.line { stroke-dasharray: 3 3; } .line.good { stroke: #007a59; } .line.bad { stroke: #c04f00; } .line.client { stroke: #59636e; } .line.plain { stroke: #59636e; }
.chip { fill: #ffffff; }
.hatch-bg { fill: #ffe2ae; } .hatch-line { stroke: #e69f00; } .cross-bg { fill: #f3dcea; } .cross-line { stroke: #cc79a7; } .dots-bg { fill: #ffffff; } .dots-dot { fill: #8c959f; }
@media (prefers-color-scheme: dark) {
.bg { fill: #0d1117; } text { fill: #e6edf3; } .dim { fill: #9198a1; } .grid { stroke: #2a313c; } .band { fill: #151b23; }
.chip { fill: #0d1117; } .want, .bound { stroke: #e6edf3; }
.pending { fill: #30363d; stroke: #7d8590; } .running { fill: #3b94d6; } .pulling { fill: #8fd0f5; }
.active { fill: #9198a1; } .good { fill: #2fbf91; } .bad { fill: #ff8b3d; } .client { fill: #e6edf3; } .wait { fill: #e6a93a; }
.line.good { stroke: #2fbf91; } .line.bad { stroke: #ff8b3d; } .line.client, .line.plain { stroke: #9198a1; }
.hatch-bg { fill: #4a3510; } .cross-bg { fill: #47253a; } .dots-bg { fill: #0d1117; }
}
`

// phaseOrder is the order of the legend.
func phaseOrder() []explain.Phase {
	return []explain.Phase{
		explain.Pending, explain.Pulling, explain.Running, explain.BackOff, explain.Terminating, explain.Active, explain.RollingOut, explain.Suspended, explain.Paused,
	}
}

func phaseText(p explain.Phase) string {
	if p == explain.Active {
		return "Job active"
	}
	if p == explain.Suspended {
		return "Job suspended"
	}
	return strings.ReplaceAll(string(p), "-out", " out")
}

// picture is an SVG while it is drawn.
type picture struct {
	out   *strings.Builder
	story *explain.Story
	axis  axis
	// font and height are those of a Pod's row.
	font, height float64
	y            float64
}

// SVG draws a story: a lane for each Job and each container, what it did and when.
func SVG(w io.Writer, s *explain.Story) error {
	p := &picture{out: &strings.Builder{}, story: s}
	p.measure()
	body := p.rows()
	height := p.y + 26
	fmt.Fprintf(p.out, `<svg xmlns="http://www.w3.org/2000/svg" role="img" width="%d" height="%s" viewBox="0 0 %d %s">`+"\n",
		svgWidth, px(height), svgWidth, px(height))
	fmt.Fprintf(p.out, "<title>%s</title>\n<desc>%s</desc>\n<style>%s</style>\n", escape(p.title()), escape(p.subtitle()), svgStyle)
	p.out.WriteString(`<defs>
<pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="hatch-bg" width="6" height="6"/><line class="hatch-line" y2="6" stroke-width="5"/></pattern>
<pattern id="cross" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="cross-bg" width="5" height="5"/><path class="cross-line" d="M0 0V5M0 0H5" stroke-width="2.4"/></pattern>
<pattern id="dots" width="5" height="5" patternUnits="userSpaceOnUse"><rect class="dots-bg" width="5" height="5"/><circle class="dots-dot" cx="2.5" cy="2.5" r="1.2"/></pattern>
</defs>
`)
	fmt.Fprintf(p.out, `<rect class="bg" width="%d" height="%s"/>`+"\n", svgWidth, px(height))
	p.head()
	p.grid(height)
	p.out.WriteString(body)
	p.out.WriteString("</svg>\n")
	_, err := io.WriteString(w, p.out.String())
	return err
}

func px(v float64) string {
	return strings.TrimSuffix(strings.TrimSuffix(fmt.Sprintf("%.2f", v), "0"), ".0")
}

// escape is s as text of XML, which cannot hold every character.
func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(terminal.Text(s))) // a strings.Builder takes everything
	return b.String()
}

func (p *picture) title() string {
	return p.story.Kind + " " + p.story.Namespace + "/" + p.story.Name
}

// subtitle says when it was, and how it ended.
func (p *picture) subtitle() string {
	end := p.axis.end
	if p.story.Now.After(p.story.Start) && end.After(p.story.Now) {
		end = p.story.Now
	}
	text := fmt.Sprintf("from %s, %s of virtual time", p.story.Start.UTC().Format(time.RFC3339), explain.Offset(end.Sub(p.story.Start)))
	for _, step := range slices.Backward(p.story.Steps) {
		if step.Object == p.story.Ref() && slices.Contains([]string{"Deployment", "StatefulSet", "DaemonSet", "HorizontalPodAutoscaler"}, p.story.Kind) {
			return text + "; " + step.What
		}
		if step.Object == p.story.Ref() && explain.Begins(step.What, "Complete", "Failed", "Succeeded", "FailureTarget", "SuccessCriteriaMet") {
			return text + "; " + step.What
		}
	}
	if p.story.Kind == "CronJob" || p.story.Kind == "ReplicaSet" {
		return text
	}
	return text + "; not finished"
}

// rowsMany and rowsDense are from how many rows on they are made lower.
const (
	rowsMany  = 30
	rowsDense = 120
)

// tailShare is which part of the time is added after the end for what goes on.
const tailShare = 40

// measure chooses sizes, and the time that is shown.
func (p *picture) measure() {
	s := p.story
	p.font, p.height = 11, 20
	if len(s.Rows) > rowsMany {
		p.font, p.height = 10, 15
	}
	if len(s.Rows) > rowsDense {
		p.font, p.height = 9, 12
	}
	end, longest := s.Start, 0
	if s.Chart != nil || s.Scaling != nil {
		longest = chartLabelMin
	}
	if s.Places != nil || s.Scaling != nil { // and what began just now
		end = s.Now.Add(s.Now.Sub(s.Start) / tailShare)
	}
	if s.Places != nil {
		for i := range s.Places.Lanes {
			longest = max(longest, len([]rune(rowLabel(&explain.Row{Object: s.Places.Lanes[i].Name}))))
		}
	}
	for i := range s.Rows {
		longest = max(longest, len([]rune(rowLabel(&s.Rows[i]))))
		for _, b := range s.Rows[i].Bars {
			if b.To.After(end) {
				end = b.To
			}
		}
		for _, m := range s.Rows[i].Marks {
			if m.At.After(end) {
				end = m.At
			}
		}
	}
	if !end.After(s.Start) {
		end = s.Start.Add(time.Second)
	}
	left := svgMargin + float64(longest+2)*headFont*charWidth + 8
	p.axis = axis{start: s.Start, end: end, left: left, width: svgWidth - svgMargin - exitRoom - left}
}

// rowLabel names a row: a Job with its kind, a Pod's container below it.
func rowLabel(r *explain.Row) string {
	name := strings.TrimPrefix(r.Object, "pod/")
	if r.Container != "" {
		name += "/" + r.Container
	}
	if runes := []rune(name); len(runes) > labelMax {
		name = string(runes[:labelMax/2-1]) + "…" + string(runes[len(runes)-labelMax/2:])
	}
	return name
}

// The heights of what is above the rows. Unit: pixels.
const (
	titleY  = 28
	legendY = 70
	axisY   = 102
	rowsY   = 110
)

// head writes title and legend.
func (p *picture) head() {
	fmt.Fprintf(p.out, `<text class="title" x="%d" y="%d">%s</text>`+"\n", svgMargin, titleY, escape(p.title()))
	fmt.Fprintf(p.out, `<text class="dim" x="%d" y="%d" font-size="12">%s</text>`+"\n", svgMargin, titleY+17, escape(p.subtitle()))
	used := map[explain.Phase]bool{}
	zero, other := false, false
	for _, r := range p.story.Rows {
		for _, b := range r.Bars {
			used[b.Phase] = true
			zero, other = zero || b.Exit != nil && *b.Exit == 0, other || b.Exit != nil && *b.Exit != 0
		}
	}
	x := float64(svgMargin)
	for _, phase := range phaseOrder() {
		if used[phase] {
			h := barHeight(phase, 20)
			fmt.Fprintf(p.out, `<rect class="%s" x="%s" y="%s" width="22" height="%s" rx="2"/>`, phase, px(x), px(legendY-4-h/2), px(h))
			x += 28
			x += p.text("dim", x, legendY, headFont, phaseText(phase)) + 20
		}
	}
	if zero {
		p.exit(x+4, legendY-4, 0)
		x += 14
		x += p.text("dim", x, legendY, headFont, "exit code 0") + 20
	}
	if other {
		p.exit(x+4, legendY-4, 1)
		p.text("dim", x+14, legendY, headFont, "another exit code")
	}
	p.out.WriteByte('\n')
}

// text writes text and returns about how wide it is.
func (p *picture) text(class string, x, y, size float64, text string) float64 {
	fmt.Fprintf(p.out, `<text class="%s" x="%s" y="%s" font-size="%s">%s</text>`, class, px(x), px(y), px(size), escape(text))
	return textWidth(text, size)
}

func textWidth(text string, size float64) float64 {
	return float64(len([]rune(text))) * size * charWidth
}

// grid draws the lines of the axis, with numbers above and, in a high picture, below.
func (p *picture) grid(height float64) {
	for _, tick := range p.axis.ticks() {
		x, label := p.axis.x(p.axis.start.Add(tick)), tickText(tick)
		fmt.Fprintf(p.out, `<line class="grid" x1="%s" y1="%d" x2="%s" y2="%s"/>`, px(x), axisY+4, px(x), px(height-20))
		p.text("dim", x-textWidth(label, headFont)/2, axisY, headFont, label)
		p.text("dim", x-textWidth(label, headFont)/2, height-7, headFont, label)
		p.out.WriteByte('\n')
	}
}

// barHeight is how high a phase is drawn in a row.
func barHeight(phase explain.Phase, row float64) float64 {
	if phase == explain.Active || phase == explain.RollingOut {
		return 4
	}
	return row - 8
}

// exit draws what stands for an exit code: a disc or a cross.
func (p *picture) exit(x, y float64, code int32) {
	if code == 0 {
		fmt.Fprintf(p.out, `<circle class="good" cx="%s" cy="%s" r="3.5"/>`, px(x), px(y))
		return
	}
	fmt.Fprintf(p.out, `<path class="line bad" style="stroke-dasharray:none" stroke-width="2.2" d="M%s %sl6 6m0 -6l-6 6"/>`, px(x-3), px(y-3))
}
