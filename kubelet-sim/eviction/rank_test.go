package eviction

import (
	"slices"
	"testing"
)

func TestFirstToGo(t *testing.T) {
	modest := Candidate{Name: "modest", Over: 10, Total: 10}
	for name, tc := range map[string]struct {
		all  []Candidate
		want string
	}{
		"nobody is left":                       {nil, ""},
		"who holds most":                       {[]Candidate{modest, {Name: "a", Over: 100, Total: 100}, {Name: "b", Over: 200, Total: 200}}, "b"},
		"not who holds less than its share":    {[]Candidate{{Name: "modest", Priority: -1, Over: 10, Total: 10}, {Name: "large", Total: 500}}, "large"},
		"who uses more than it requests first": {[]Candidate{modest, {Name: "a", Over: -50, Total: 300}, {Name: "b", Over: 1, Total: 200}}, "b"},
		"then who has the lower priority":      {[]Candidate{modest, {Name: "a", Priority: 5, Over: 300, Total: 300}, {Name: "b", Priority: 1, Over: 200, Total: 200}}, "b"},
		"a critical Pod last":                  {[]Candidate{modest, {Name: "a", Critical: true, Over: 300, Total: 300}, {Name: "b", Priority: 9, Over: 200, Total: 200}}, "b"},
		"of equals the first by name":          {[]Candidate{{Name: "b", Over: 7, Total: 7}, {Name: "a", Over: 7, Total: 7}}, "a"},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 { // the order in which they are found does not matter
				got := ""
				if i := FirstToGo(tc.all); i >= 0 {
					got = tc.all[i].Name
				}
				if got != tc.want {
					t.Errorf("%q goes first, want %q", got, tc.want)
				}
				slices.Reverse(tc.all)
			}
		})
	}
}
