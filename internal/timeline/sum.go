package timeline

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
	"github.com/kubesim-dev/kubesim/kubelet-sim/script"
)

// What the command asks of a timeline, and says at its end.

// Show makes the timeline print what happens in a namespace.
func (t *Timeline) Show(namespace string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.namespaces[namespace] = true
}

// Created returns the Pods that there were.
func (t *Timeline) Created() []script.Owned {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.pods)
}

// Rest says what has not ended.
func (t *Timeline) Rest() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var names []string
	for name := range t.unfinished {
		names = append(names, name)
	}
	slices.Sort(names)
	if len(names) == 1 {
		return names[0] + " has not ended"
	}
	return strings.Join(names, ", ") + " have not ended"
}

// Note prints a line of its own.
func (t *Timeline) Note(format string, args ...any) error {
	_, err := fmt.Fprintf(t.Out, format+"\n", args...)
	return err
}

// errNoMatch: the scripts have run nothing.
var errNoMatch = errors.New("no PodScript runs a container")

// Sum says which of scripts have run something, and why the others have not.
func (t *Timeline) Sum(scripts []*v1alpha1.PodScript) error {
	if t.err != nil {
		return t.err
	}
	sorted := slices.Clone(scripts)
	slices.SortFunc(sorted, func(a, b *v1alpha1.PodScript) int { return strings.Compare(a.Name, b.Name) })
	if len(t.pods) == 0 {
		return errors.New("there was no Pod for the PodScripts: look at what controls it")
	}
	used := false
	for _, s := range sorted {
		lines, ran := t.verdicts(sorted, s.Name)
		used = used || ran
		if err := t.Note("PodScript %q\n  %s", s.Name, strings.Join(lines, "\n  ")); err != nil {
			return err
		}
	}
	if !used {
		return errNoMatch
	}
	return nil
}

// verdicts says what became of one script of all.
func (t *Timeline) verdicts(all []*v1alpha1.PodScript, name string) (lines []string, ran bool) {
	var why []string
	for _, pod := range t.pods {
		for _, v := range script.Explain(all, pod) {
			if v.Script != name {
				continue
			}
			n := t.ran[script.Verdict{Script: name, Container: v.Container}]
			line := "container " + v.Container + ": " + v.Why
			switch {
			case v.Why == "" && n > 0:
				ran = true
				line = fmt.Sprintf("container %s: %d attempts", v.Container, n)
				if n == 1 {
					line = "container " + v.Container + ": 1 attempt"
				}
			case v.Why == "":
				line = "container " + v.Container + ": it was never started"
			}
			if !slices.Contains(why, line) {
				why = append(why, line)
			}
		}
	}
	return why, ran
}
