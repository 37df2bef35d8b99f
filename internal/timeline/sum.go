package timeline

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
	"github.com/kubesim-dev/kubesim/internal/manifest"
	"github.com/kubesim-dev/kubesim/kubelet-sim/script"
)

// What the command asks of a timeline, and says at its end.

// show makes the timeline print what happens in a namespace.
func (t *timeline) show(namespace string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.namespaces[namespace] = true
}

// created returns the Pods that there were.
func (t *timeline) created() []*corev1.Pod {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.pods)
}

// rest says what has not ended.
func (t *timeline) rest() string {
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

func (t *timeline) note(format string, args ...any) error {
	_, err := fmt.Fprintf(t.out, format+"\n", args...)
	return err
}

// sum says which of scripts have run something, and why the others have not.
func (t *timeline) sum(scripts []manifest.Document) error {
	if t.err != nil {
		return t.err
	}
	parsed := make([]*v1alpha1.PodScript, len(scripts))
	for i, m := range scripts {
		parsed[i] = &v1alpha1.PodScript{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(m.Object.Object, parsed[i]); err != nil {
			return err // the API server has read it
		}
	}
	slices.SortFunc(parsed, func(a, b *v1alpha1.PodScript) int { return strings.Compare(a.Name, b.Name) })
	if len(t.pods) == 0 {
		return errors.New("there was no Pod for the PodScripts: look at what controls it")
	}
	used := false
	for _, s := range parsed {
		lines, ran := t.verdicts(parsed, s.Name)
		used = used || ran
		if err := t.note("PodScript %q\n  %s", s.Name, strings.Join(lines, "\n  ")); err != nil {
			return err
		}
	}
	if !used {
		return errNoMatch
	}
	return nil
}

// verdicts says what became of one script of all.
func (t *timeline) verdicts(all []*v1alpha1.PodScript, name string) (lines []string, ran bool) {
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
