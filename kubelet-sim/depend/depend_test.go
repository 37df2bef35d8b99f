package depend

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

func pod(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: "work", Name: name}
}

func configMap(name string) Object { return Object{engine.ConfigMaps, pod(name)} }
func secret(name string) Object    { return Object{engine.Secrets, pod(name)} }

// TestMissing: however an error was wrapped or joined, what it lacks is found.
func TestMissing(t *testing.T) {
	a, b := configMap("a").Lacks("no %s", "a"), secret("b").Lacks("no b")
	for name, tc := range map[string]struct {
		err  error
		want []Object
	}{
		"no error":                 {nil, nil},
		"another error":            {errors.New("disk full"), nil},
		"one that lacks an object": {a, []Object{configMap("a")}},
		"wrapped":                  {fmt.Errorf("volume %q: %w", "v", a), []Object{configMap("a")}},
		"two, wrapped in one":      {fmt.Errorf("%w, %w", errors.New("disk full"), b), []Object{secret("b")}},
	} {
		t.Run(name, func(t *testing.T) {
			got := Missing(tc.err)
			for i := range tc.want {
				if i >= len(got) || got[i] != tc.want[i] {
					t.Fatalf("got %v, want %v", got, tc.want)
				}
			}
			if len(tc.want) == 0 && len(got) > 0 {
				t.Errorf("got %v, want none", got)
			}
		})
	}
	for _, want := range []Object{configMap("a"), secret("b")} {
		found := false
		for _, got := range Missing(errors.Join(a, b)) {
			found = found || got == want
		}
		if !found {
			t.Errorf("of two errors that were joined, %v is not found", want)
		}
	}
	if a.Error() != "no a" {
		t.Errorf("text %q", a)
	}
}

// TestWaiters is one story: what is added is found from both sides, sorted, until it is
// dropped.
func TestWaiters(t *testing.T) {
	w := Waiters{}
	for _, p := range []string{"c", "a", "b"} {
		w.Add(configMap("settings"), pod(p))
	}
	w.Add(configMap("settings"), pod("a")) // once more
	w.Add(secret("password"), pod("a"))
	w.Add(configMap("another"), pod("a"))

	if diff := cmp.Diff([]types.NamespacedName{pod("a"), pod("b"), pod("c")}, w.Of(configMap("settings"))); diff != "" {
		t.Errorf("who waits for a ConfigMap (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]Object{configMap("another"), configMap("settings"), secret("password")}, w.By(pod("a"))); diff != "" {
		t.Errorf("what a Pod waits for (-want +got):\n%s", diff)
	}
	w.Drop(pod("a"))
	if diff := cmp.Diff([]types.NamespacedName{pod("b"), pod("c")}, w.Of(configMap("settings"))); diff != "" {
		t.Errorf("after a Pod was dropped (-want +got):\n%s", diff)
	}
	if got := w.By(pod("a")); got != nil {
		t.Errorf("a Pod that was dropped waits for %v", got)
	}
	w.Drop(pod("b"))
	w.Drop(pod("c"))
	if len(w) > 0 {
		t.Errorf("nobody waits, but there is left %v", w)
	}
}
