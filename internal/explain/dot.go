package explain

import (
	"fmt"
	"io"
	"strings"

	"github.com/kubesim-dev/kubesim/internal/terminal"
)

// Dot writes a story as a graph for Graphviz: its steps, and arrows from cause to effect.
func Dot(w io.Writer, s *Story) error {
	var out strings.Builder
	fmt.Fprintf(&out, "digraph %s {\n", quote(s.Kind+" "+s.Namespace+"/"+s.Name))
	out.WriteString("  bgcolor=white; nodesep=0.2; ranksep=0.25;\n" +
		"  node [shape=box, style=\"rounded,filled\", fontname=\"Helvetica\", fontsize=10, margin=\"0.12,0.06\", color=\"#59636e\", fillcolor=\"#f4f6f8\"];\n" +
		"  edge [color=\"#59636e\", arrowsize=0.6];\n")
	for i, step := range s.Steps {
		label := fmt.Sprintf("%s  %s\n%s", Offset(step.At.Sub(s.Start)), step.Object, wrap(step.What))
		fmt.Fprintf(&out, "  s%d [label=%s, tooltip=%s%s];\n", i, quote(label), quote(words(": ", step.By, step.Why)), dotTone(step.Tone))
	}
	for i, step := range s.Steps {
		for _, cause := range step.Causes {
			fmt.Fprintf(&out, "  s%d -> s%d;\n", cause, i)
		}
	}
	out.WriteString("}\n")
	_, err := io.WriteString(w, out.String())
	return err
}

// dotTone colours a step as the picture does.
func dotTone(t Tone) string {
	switch t {
	case Good:
		return `, color="#007a59", fillcolor="#d9f2ea"`
	case Bad:
		return `, color="#c04f00", fillcolor="#fde6d8"`
	case Wait:
		return `, color="#b37700", fillcolor="#ffe2ae"`
	case Outside:
		return `, color="#1f2328", fillcolor="#ffffff", penwidth=2`
	}
	return ""
}

// quote is a string of the DOT language. The file may be shown on a terminal.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(terminal.Text(s)) + `"`
}

// wrapWidth is how long a line of a label becomes. Unit: characters.
const wrapWidth = 44

// wrap breaks a text into lines.
func wrap(s string) string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		if line != "" && len(line)+1+len(word) > wrapWidth {
			lines, line = append(lines, line), ""
		}
		line = words(" ", line, word)
	}
	return strings.Join(append(lines, line), "\n")
}
