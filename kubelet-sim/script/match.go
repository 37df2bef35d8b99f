package script

import (
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
)

// Owned is a Pod with what controls it: its controller, what controls that, and so on. See
// Owners.
type Owned struct {
	*corev1.Pod
	Owners []metav1.OwnerReference
}

// Find returns the first of scripts, which come sorted by name, that runs a
// container of pod; nil if none does. init tells init containers from others.
func Find(scripts []*v1alpha1.PodScript, pod Owned, c *corev1.Container, init bool) *v1alpha1.PodScript {
	for _, s := range scripts {
		if mismatch(&s.Spec.Match, pod, c, init) == "" {
			return s
		}
	}
	return nil
}

// mismatch returns the field of m that keeps the script from a container of pod,
// empty if none does.
func mismatch(m *v1alpha1.Match, pod Owned, c *corev1.Container, init bool) string {
	switch {
	case init && m.Container == "", !v1alpha1.Fits(m.Container, c.Name):
		return "container"
	case !v1alpha1.Fits(m.Namespace, pod.Namespace):
		return "namespace"
	case !v1alpha1.Fits(m.Image, c.Image):
		return "image"
	case m.Indexes != "" && !hasIndex(m.Indexes, pod.Pod):
		return "indexes"
	case m.Owner != nil && !owns(m.Owner, pod.Owners):
		return "owner"
	case m.PodSelector != nil && !selects(m.PodSelector, pod.Pod):
		return "podSelector"
	}
	return ""
}

func owns(m *v1alpha1.OwnerMatch, owners []metav1.OwnerReference) bool {
	return slices.ContainsFunc(owners, func(owner metav1.OwnerReference) bool {
		return (m.Kind == "" || m.Kind == owner.Kind) && v1alpha1.Fits(m.Name, owner.Name)
	})
}

func selects(s *metav1.LabelSelector, pod *corev1.Pod) bool {
	selector, err := metav1.LabelSelectorAsSelector(s)
	return err == nil && selector.Matches(labels.Set(pod.Labels))
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
