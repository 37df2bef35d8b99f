package scenario

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/pmezard/go-difflib/difflib"
	"sigs.k8s.io/yaml"

	"github.com/kubesim-dev/kubesim/internal/terminal"
)

// Printer writes a timeline and a result as people read them.
type Printer struct {
	out   io.Writer
	start time.Time
	width int
	// shown are the objects that were printed.
	shown map[string]bool
	err   error
}

// NewPrinter returns one for a run that begins at start.
func NewPrinter(out io.Writer, start time.Time) *Printer {
	return &Printer{out: out, start: start, width: whoWidthMin, shown: map[string]bool{}}
}

// whoWidthMin and whoWidth bound how far names move the third column.
const (
	whoWidthMin = 20
	whoWidth    = 40
)

// Entry prints a line of the timeline.
func (p *Printer) Entry(e Entry) {
	who := terminal.Line(e.Who)
	p.width = max(p.width, min(len(who), whoWidth))
	p.printf("%9s  %-*s  %s\n", Offset(e.Time.Sub(p.start)), p.width, who, terminal.Line(e.What))
}

func (p *Printer) printf(format string, args ...any) {
	if _, err := io.WriteString(p.out, terminal.Text(fmt.Sprintf(format, args...))); err != nil && p.err == nil {
		p.err = err
	}
}

// Offset is a duration with two decimals, such as 4.20s, 1h02m04.20s or 3d01h00m00.00s.
func Offset(d time.Duration) string {
	d = d.Round(10 * time.Millisecond)
	days, h, m, s := int(d.Hours())/24, int(d.Hours())%24, int(d.Minutes())%60, (d % time.Minute).Seconds()
	switch {
	case days > 0:
		return fmt.Sprintf("%dd%02dh%02dm%05.2fs", days, h, m, s)
	case h > 0:
		return fmt.Sprintf("%dh%02dm%05.2fs", h, m, s)
	case m > 0:
		return fmt.Sprintf("%dm%05.2fs", m, s)
	}
	return fmt.Sprintf("%.2fs", s)
}

// Result prints what held and what did not. It returns the first error of writing.
func (p *Printer) Result(r *Result) error {
	p.printf("\n")
	for i := range r.Outcomes {
		p.outcome(r, &r.Outcomes[i])
	}
	held := len(r.Outcomes) - r.Failed()
	verdict := fmt.Sprintf("%d of %d expectations held", held, len(r.Outcomes))
	switch len(r.Outcomes) {
	case 0:
		verdict = "played"
	case 1:
		verdict = fmt.Sprintf("%d of 1 expectation held", held)
	}
	p.printf("%s: %s, after %s, with seed %d\n", r.Scenario, verdict, Offset(r.End.Sub(r.Start)), r.Seed)
	return p.err
}

func (p *Printer) outcome(r *Result, o *Outcome) {
	switch o.State {
	case Held:
		p.printf("ok      %s (at %s)\n", o.Name, Offset(o.Time.Sub(r.Start)))
	case Skipped:
		p.printf("skipped %s\n", o.Name)
	default:
		p.printf("FAILED  %s (at %s)\n        %s\n", o.Name, Offset(o.Time.Sub(r.Start)), o.Where)
		p.block("expected", o.Expected)
		p.block("actual", o.Actual)
		p.objects(o)
		if len(o.Events) > 0 {
			p.printf("        what happened last:\n")
			for _, e := range o.Events {
				p.printf("        %9s  %-*s  %s\n", Offset(e.Time.Sub(r.Start)), min(p.width, whoWidth), terminal.Line(e.Who), terminal.Line(e.What))
			}
		}
	}
}

// block prints a value, below its name if it has several lines.
func (p *Printer) block(name, value string) {
	if !strings.Contains(value, "\n") {
		p.printf("        %-9s %s\n", name+":", value)
		return
	}
	p.printf("        %s:\n", name)
	p.indented(value, "          ")
}

func (p *Printer) indented(text, indent string) {
	for line := range strings.Lines(strings.TrimRight(text, "\n")) {
		p.printf("%s%s\n", indent, strings.TrimSuffix(line, "\n"))
	}
}

func (p *Printer) objects(o *Outcome) {
	if o.Want != nil && len(o.Objects) == 1 {
		diff, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
			A: difflib.SplitLines(toYAML(o.Want)), B: difflib.SplitLines(toYAML(o.Objects[0])),
			FromFile: "expected", ToFile: "actual", Context: 3,
		})
		if err == nil {
			p.indented(diff, "        ")
			return
		}
	}
	for _, object := range o.Objects {
		text := toYAML(object)
		if p.shown[text] {
			p.printf("        object:   as above\n")
			continue
		}
		p.shown[text] = true
		p.printf("        object:\n")
		lines := strings.SplitAfter(strings.TrimRight(text, "\n"), "\n")
		p.indented(strings.Join(lines[:min(len(lines), objectLinesMax)], ""), "          ")
		if n := len(lines) - objectLinesMax; n > 0 {
			p.printf("          … and %d more lines: --json has them\n", n)
		}
	}
}

// objectLinesMax is how many lines of an object are printed.
const objectLinesMax = 40

func toYAML(v any) string {
	data, err := yaml.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%v\n", v)
	}
	return string(data)
}
