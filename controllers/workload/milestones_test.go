package workload

import (
	"testing"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// What comes further restarts the bound on replacements, what goes round in circles does not.
func TestMilestones(t *testing.T) {
	key := engine.Key{Controller: "statefulset", Namespace: "default", Name: "web"}
	m := Milestones{}
	at := m.Of(key)
	for _, step := range []struct {
		name          string
		generation    int64
		pods, updated int32
		further       bool
	}{
		{"the first Pod", 1, 1, 1, true},
		{"it has ended", 1, 0, 0, false},
		{"it was replaced", 1, 1, 1, false},
		{"a second Pod", 1, 2, 2, true},
		{"another template", 2, 2, 0, true},
		{"a Pod goes for it", 2, 1, 0, false},
		{"and has a successor", 2, 2, 1, true},
		{"which ended", 2, 1, 0, false},
		{"and has one again", 2, 2, 1, false},
	} {
		m.Observe(key, false, step.generation, step.pods, step.updated)
		if next := m.Of(key); (next != at) != step.further {
			t.Errorf("%s: further is %t", step.name, next != at)
		}
		at = m.Of(key)
	}
	m.Observe(key, true, 2, 2, 2)
	if len(m) > 0 {
		t.Errorf("%v is left of what is gone", m)
	}
}
