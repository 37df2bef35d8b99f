package scheduler

import (
	"math"

	"k8s.io/apimachinery/pkg/types"
)

// active knows the Pods that are to be tried at this instant. The engine tries them in the
// order of arrival; active lets those of higher priority go first.
type active struct {
	priorities map[types.NamespacedName]int32
	count      map[int32]int
	// tries counts the Pods that did not yield; yielded has it as of when a Pod yielded.
	tries   int
	yielded map[types.NamespacedName]int
}

func newActive() *active {
	return &active{priorities: map[types.NamespacedName]int32{}, count: map[int32]int{}, yielded: map[types.NamespacedName]int{}}
}

func (a *active) add(name types.NamespacedName, priority int32) {
	a.drop(name)
	a.priorities[name] = priority
	a.count[priority]++
}

func (a *active) drop(name types.NamespacedName) {
	if priority, ok := a.priorities[name]; ok {
		delete(a.priorities, name)
		if a.count[priority]--; a.count[priority] == 0 {
			delete(a.count, priority)
		}
	}
}

// remove forgets a Pod that needs no try.
func (a *active) remove(name types.NamespacedName) {
	a.drop(name)
	delete(a.yielded, name)
}

// yields reports whether the Pod whose turn it is comes again after the others, because one of
// a higher priority is among them. It yields once until another has been tried: what it
// waits for may not come, such as a Pod whose step waits for a webhook.
func (a *active) yields(name types.NamespacedName, priority int32) bool {
	last, before := a.yielded[name]
	a.drop(name)
	if a.highest() > int64(priority) && !(before && last == a.tries) {
		a.add(name, priority)
		a.yielded[name] = a.tries
		return true
	}
	delete(a.yielded, name)
	a.tries++
	return false
}

func (a *active) highest() int64 {
	highest := int64(math.MinInt64)
	for priority := range a.count {
		highest = max(highest, int64(priority))
	}
	return highest
}
