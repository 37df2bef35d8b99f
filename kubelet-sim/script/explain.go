package script

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
)

// Verdict says whether a script runs a container.
type Verdict struct {
	Script, Container string
	// Why says why it does not, with the field of the script that decides; empty if
	// it does.
	Why string
}

// Explain says of every script, which come sorted by name, and every container of
// pod whether the one runs the other.
func Explain(scripts []*v1alpha1.PodScript, pod Owned) []Verdict {
	var all []Verdict
	for i, s := range scripts {
		for _, c := range containersOf(pod.Pod) {
			v := Verdict{Script: s.Name, Container: c.Name}
			first := Find(scripts[:i], pod, c.Container, c.init)
			switch field := mismatch(&s.Spec.Match, pod, c.Container, c.init); {
			case field != "":
				v.Why = "spec.match." + field + " " + clash(field, &s.Spec.Match, pod, c)
			case first != nil:
				v.Why = fmt.Sprintf("PodScript %q, whose name comes first, matches too", first.Name)
			case attempt(s.Spec.Attempts, pod.Pod, 0) == nil:
				v.Why = fmt.Sprintf("spec.attempts has none for %s", indexOf(pod.Pod))
			}
			all = append(all, v)
		}
	}
	return all
}

// candidate is a container that a script may run.
type candidate struct {
	*corev1.Container
	init bool
}

func containersOf(pod *corev1.Pod) []candidate {
	var all []candidate
	for i := range pod.Spec.InitContainers {
		all = append(all, candidate{&pod.Spec.InitContainers[i], true})
	}
	for i := range pod.Spec.Containers {
		all = append(all, candidate{&pod.Spec.Containers[i], false})
	}
	return all
}

// clash says what a field of m wants and what is there instead.
func clash(field string, m *v1alpha1.Match, pod Owned, c candidate) string {
	switch field {
	case "container":
		if m.Container == "" {
			return "is not set: init containers are run only by a script that sets it"
		}
		return fmt.Sprintf("is %q, the container is %q", m.Container, c.Name)
	case "namespace":
		return fmt.Sprintf("is %q, the Pod's is %q", m.Namespace, pod.Namespace)
	case "image":
		return fmt.Sprintf("is %q, the container's is %q", m.Image, c.Image)
	case "indexes":
		return fmt.Sprintf("is %q, this is %s", m.Indexes, indexOf(pod.Pod))
	case "owner":
		want := fmt.Sprintf("is {kind: %q, name: %q}, ", m.Owner.Kind, m.Owner.Name)
		if len(pod.Owners) == 0 {
			return want + "the Pod has none"
		}
		var have []string
		for _, owner := range pod.Owners {
			have = append(have, fmt.Sprintf("%s %q", owner.Kind, owner.Name))
		}
		return want + "the Pod's is " + strings.Join(have, ", of ")
	}
	have := "none"
	if len(pod.Labels) > 0 {
		have = fmt.Sprintf("%q", labels.FormatLabels(pod.Labels))
	}
	return fmt.Sprintf("is %q, the Pod's labels are %s", metav1.FormatLabelSelector(m.PodSelector), have)
}

func indexOf(pod *corev1.Pod) string {
	if index := Index(pod); index != "" {
		return "a Pod of index " + index
	}
	return "a Pod without an index"
}
