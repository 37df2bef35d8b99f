package explain

import (
	"fmt"
	"io"
	"strings"

	"github.com/kubesim-dev/kubesim/internal/terminal"
)

// Print writes a story as text: when, who, what it was about, what happened, and the cause.
func Print(w io.Writer, s *Story) error {
	var out strings.Builder
	fmt.Fprintf(&out, "%s %s/%s, from %s, in virtual time\n", s.Kind, s.Namespace, s.Name, s.Start.UTC().Format("2006-01-02T15:04:05Z"))
	if len(s.Forgotten) > 0 {
		fmt.Fprintf(&out, "Older history was compacted away, also the beginning of %s; 'kubesim serve --compaction-interval' says how much is kept.\n",
			some(s.Forgotten))
	}
	at, by, object := len("TIME"), len("BY"), len("OBJECT")
	steps := make([]Step, len(s.Steps))
	for i, step := range s.Steps {
		step.By, step.Object, step.What, step.Why = terminal.Line(step.By), terminal.Line(step.Object), terminal.Line(step.What), terminal.Line(step.Why)
		at, by, object = max(at, len(Offset(step.At.Sub(s.Start)))), max(by, len(step.By)), max(object, len(step.Object))
		steps[i] = step
	}
	line := func(t, b, o, what string) {
		out.WriteString(strings.TrimRight(fmt.Sprintf("%*s  %-*s  %-*s  %s", at, t, by, b, object, o, what), " ") + "\n")
	}
	line("TIME", "BY", "OBJECT", "WHAT")
	for _, step := range steps {
		line(Offset(step.At.Sub(s.Start)), step.By, step.Object, step.What)
		if step.Why != "" {
			line("", "", "", "  "+"because: "+step.Why)
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// someMax is how many of a list are printed.
const someMax = 3

func some(list []string) string {
	if n := len(list) - someMax; n > 1 {
		return strings.Join(list[:someMax], ", ") + fmt.Sprintf(" and %d more", n)
	}
	return strings.Join(list, ", ")
}
