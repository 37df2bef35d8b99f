package script

import (
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
)

// Find returns the first of scripts, which come sorted by name, that runs a
// container of pod; nil if none does. init tells init containers from others.
func Find(scripts []*v1alpha1.PodScript, pod *corev1.Pod, c *corev1.Container, init bool) *v1alpha1.PodScript {
	for _, s := range scripts {
		if matches(&s.Spec.Match, pod, c, init) {
			return s
		}
	}
	return nil
}

func matches(m *v1alpha1.Match, pod *corev1.Pod, c *corev1.Container, init bool) bool {
	switch {
	case init && m.Container == "",
		!fits(m.Namespace, pod.Namespace), !fits(m.Image, c.Image), !fits(m.Container, c.Name),
		m.Indexes != "" && !hasIndex(m.Indexes, pod):
		return false
	}
	if m.Owner != nil {
		owner := metav1.GetControllerOfNoCopy(pod)
		if owner == nil || m.Owner.Kind != "" && m.Owner.Kind != owner.Kind || !fits(m.Owner.Name, owner.Name) {
			return false
		}
	}
	if m.PodSelector == nil {
		return true
	}
	selector, err := metav1.LabelSelectorAsSelector(m.PodSelector)
	return err == nil && selector.Matches(labels.Set(pod.Labels))
}

// fits reports whether the whole of s is what pattern says, in which * stands for
// any characters. An empty pattern says nothing.
func fits(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == "" || pattern == s
	}
	first, last := parts[0], parts[len(parts)-1]
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return true
}

// Index is the Pod's index in an Indexed Job or a StatefulSet, "" if it has none.
func Index(pod *corev1.Pod) string {
	if index := pod.Annotations["batch.kubernetes.io/job-completion-index"]; index != "" {
		return index
	}
	return pod.Labels["apps.kubernetes.io/pod-index"]
}

func hasIndex(list string, pod *corev1.Pod) bool {
	n, err := strconv.Atoi(Index(pod))
	return err == nil && v1alpha1.HasIndex(list, n)
}

// attempt returns the steps of the Pod's n-th attempt, counted from 0: an index
// that attempts name has those alone, and the last one is repeated.
func attempt(attempts []v1alpha1.Attempt, pod *corev1.Pod, n int) []v1alpha1.Step {
	var own, others [][]v1alpha1.Step
	for i := range attempts {
		switch a := &attempts[i]; {
		case a.Indexes == "":
			others = append(others, a.Steps)
		case hasIndex(a.Indexes, pod):
			own = append(own, a.Steps)
		}
	}
	if len(own) == 0 {
		own = others
	}
	if len(own) == 0 {
		return nil
	}
	return own[min(n, len(own)-1)]
}
