package picture

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubesim-dev/kubesim/internal/explain"
)

// The measures of the chart of a rollout. Unit: pixels.
const (
	chartHeight = 132
	chartGap    = 14
	// chartLabelMin is what its labels at the left need. Unit: characters.
	chartLabelMin = 18
	// versionColours is after how many versions the colours begin again.
	versionColours = 6
)

// chart draws how many Pods of each version there were: ready ones below, with the oldest
// version at the bottom, those that are not ready above, and the lines between which a
// rollout keeps them.
func (p *picture) chart() {
	c := p.story.Chart
	if c == nil || len(c.Samples) == 0 {
		return
	}
	top := most(c)
	y := func(n int32) float64 { return p.y + chartHeight*(1-float64(n)/float64(top)) }
	for v := range c.Versions {
		p.layer(c, y, fmt.Sprintf("v%d", v%versionColours), v, false)
	}
	for v := range c.Versions {
		p.layer(c, y, fmt.Sprintf("v%d unready", v%versionColours), v, true)
	}
	last := c.Samples[len(c.Samples)-1]
	for _, line := range []struct {
		class, label string
		of           func(*explain.Sample) int32
	}{
		{"bound", "≤ " + fmt.Sprint(last.Most), func(s *explain.Sample) int32 { return s.Most }},
		{"want", fmt.Sprint(last.Want), func(s *explain.Sample) int32 { return s.Want }},
		{"bound", "≥ " + fmt.Sprint(last.Least), func(s *explain.Sample) int32 { return s.Least }},
	} {
		fmt.Fprintf(p.out, `<path class="%s" fill="none" d="%s"/>`, line.class, p.stairs(c, y, line.of))
		at := line.of(&last)
		if line.class == "want" || at != last.Want && abs(y(at)-y(last.Want)) > headFont {
			p.text("dim", p.axis.left+p.axis.width+6, y(at)+4, markFont, line.label)
		}
	}
	p.text("job", svgMargin, p.y+12, headFont, "Pods")
	p.text("dim", svgMargin, p.y+30, markFont, "full: ready")
	p.text("dim", svgMargin, p.y+44, markFont, "pale: not ready")
	p.text("dim", svgMargin, p.y+58, markFont, "≤ maxSurge")
	p.text("dim", svgMargin, p.y+72, markFont, "≥ maxUnavailable")
	p.out.WriteByte('\n')
	p.y += chartHeight + chartGap
}

func abs(v float64) float64 { return max(v, -v) }

// most is the highest number of a chart.
func most(c *explain.Chart) int32 {
	n := int32(1)
	for i := range c.Samples {
		s := &c.Samples[i]
		sum := int32(0)
		for v := range s.Ready {
			sum += s.Ready[v] + s.Unready[v]
		}
		n = max(n, sum, s.Most, s.Want)
	}
	return n
}

// span returns where a sample begins and ends.
func (p *picture) span(c *explain.Chart, i int) (from, to float64) {
	from, to = p.axis.x(c.Samples[i].At), p.axis.left+p.axis.width
	if i+1 < len(c.Samples) {
		to = p.axis.x(c.Samples[i+1].At)
	}
	return from, to
}

// below counts the Pods that are drawn below those of a version.
func below(s *explain.Sample, version int, unready bool) (n int32) {
	for v, ready := range s.Ready {
		if unready || v < version {
			n += ready
		}
	}
	for v, pods := range s.Unready {
		if unready && v < version {
			n += pods
		}
	}
	return n
}

// layer draws the Pods of one version while there are any.
func (p *picture) layer(c *explain.Chart, y func(int32) float64, class string, version int, unready bool) {
	var path strings.Builder
	for i := range c.Samples {
		s := &c.Samples[i]
		counts := s.Ready
		if unready {
			counts = s.Unready
		}
		if version >= len(counts) || counts[version] == 0 {
			continue
		}
		from, to := p.span(c, i)
		base := below(s, version, unready)
		fmt.Fprintf(&path, "M%s %sH%sV%sH%sz", px(from), px(y(base)), px(to), px(y(base+counts[version])), px(from))
	}
	if path.Len() > 0 {
		fmt.Fprintf(p.out, `<path class="%s" d="%s"><title>%s</title></path>`, class, path.String(), escape(c.Versions[version]))
	}
}

// stairs is the path of a number over time.
func (p *picture) stairs(c *explain.Chart, y func(int32) float64, of func(*explain.Sample) int32) string {
	var path strings.Builder
	for i := range c.Samples {
		from, to := p.span(c, i)
		move := "V"
		if i == 0 {
			move = "M" + px(from) + " "
		} else if of(&c.Samples[i]) == of(&c.Samples[i-1]) {
			fmt.Fprintf(&path, "H%s", px(to))
			continue
		}
		fmt.Fprintf(&path, "%s%sH%s", move, px(y(of(&c.Samples[i]))), px(to))
	}
	return path.String()
}

// version draws the colour of a ReplicaSet before its name.
func (p *picture) version(r *explain.Row) {
	if p.story.Chart == nil {
		return
	}
	if v := slices.Index(p.story.Chart.Versions, r.Object); v >= 0 {
		fmt.Fprintf(p.out, `<rect class="v%d" x="%d" y="%s" width="9" height="9" rx="2"/>`, v%versionColours, svgMargin-12, px(p.y+jobHeight/2-1))
	}
}
