package engine

import (
	"cmp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestKeyIsPrinted(t *testing.T) {
	for want, key := range map[string]Key{
		"job/default/pi":                {Controller: "job", Namespace: "default", Name: "pi"},
		"job/default/pods/pi-x":         {Controller: "job", Kind: "pods", Namespace: "default", Name: "pi-x"},
		"podgc/nodes/node-1":            {Controller: "podgc", Kind: "nodes", Name: "node-1"},
		"podgc/terminated":              {Controller: "podgc", Kind: "terminated"},
		"kubelet/default/pod/c/startup": {Controller: "kubelet", Kind: Part, Namespace: "default", Name: "pod/c/startup"},
	} {
		if got := key.String(); got != want {
			t.Errorf("%#v is printed as %q, want %q", key, got, want)
		}
	}
}

// TestKeysAreOrderedAsTheyArePrinted: notes are remembered in the order of keys, which is
// that of what the event log prints, controller by controller.
func TestKeysAreOrderedAsTheyArePrinted(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		word := rapid.SampledFrom([]string{"a", "b", "pods", "pods/a"})
		keys := rapid.Custom(func(rt *rapid.T) Key {
			return Key{
				Controller: word.Draw(rt, "controller"), Kind: rapid.SampledFrom([]string{"", "a", "nodes", "pods", Part}).Draw(rt, "kind"),
				Namespace: word.Draw(rt, "namespace"), Name: word.Draw(rt, "name"),
			}
		})
		a, b := keys.Draw(rt, "one"), keys.Draw(rt, "other")
		path := func(k Key) string { return strings.TrimPrefix(k.String(), k.Controller+"/"+k.Namespace+"/") }
		want := cmp.Or(cmp.Compare(a.Controller, b.Controller), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(path(a), path(b)))
		if got := a.compare(b); want != 0 && got != want || got == 0 != (a == b) || got != -b.compare(a) {
			rt.Fatalf("%#v and %#v compare as %d, want %d", a, b, got, want)
		}
	})
}
