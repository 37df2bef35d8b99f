package depend

import (
	"cmp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

// Waiters holds the Pods that wait for an object.
type Waiters map[Object]map[types.NamespacedName]bool

// Add notes that a Pod waits for d.
func (w Waiters) Add(d Object, pod types.NamespacedName) {
	if w[d] == nil {
		w[d] = map[types.NamespacedName]bool{}
	}
	w[d][pod] = true
}

// Of returns the Pods that wait for d, sorted.
func (w Waiters) Of(d Object) []types.NamespacedName {
	pods := make([]types.NamespacedName, 0, len(w[d]))
	for pod := range w[d] {
		pods = append(pods, pod)
	}
	slices.SortFunc(pods, func(a, b types.NamespacedName) int { return strings.Compare(a.String(), b.String()) })
	return pods
}

// By returns what a Pod waits for, sorted.
func (w Waiters) By(pod types.NamespacedName) []Object {
	var all []Object
	for d, pods := range w {
		if pods[pod] {
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b Object) int {
		return cmp.Or(cmp.Compare(a.Resource, b.Resource), strings.Compare(a.Name.String(), b.Name.String()))
	})
	return all
}

// Drop forgets what a Pod waits for.
func (w Waiters) Drop(pod types.NamespacedName) {
	for d, pods := range w {
		delete(pods, pod)
		if len(pods) == 0 {
			delete(w, d)
		}
	}
}
