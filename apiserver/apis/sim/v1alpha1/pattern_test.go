package v1alpha1

import "testing"

func TestFits(t *testing.T) {
	for _, tc := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "anything", true}, {"a", "a", true}, {"a", "ab", false}, {"a*", "ab", true}, {"*b", "ab", true},
		{"a*a", "a", false}, {"*/busybox:*", "docker.io/library/busybox:1", true}, {"a*b*c", "axbyc", true}, {"a*b*c", "acb", false},
	} {
		if got := Fits(tc.pattern, tc.s); got != tc.want {
			t.Errorf("Fits(%q, %q) is %v", tc.pattern, tc.s, got)
		}
	}
}
