package manifest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const twoManifests = `# The first is in the second line.
kind: A
apiVersion: v1
spec:
  list:
  - {a: 1, b: {c: 2}}
  -
    a: 3
--- # the second
kind: B
apiVersion: v1
`

func TestManifestsKnowTheirLines(t *testing.T) {
	all, err := Parse("f", []byte(twoManifests))
	if err != nil || len(all) != 2 {
		t.Fatalf("%d manifests, %v", len(all), err)
	}
	for field, want := range map[string]string{
		"": "f:2", "kind": "f:2", "spec": "f:4", "spec.list": "f:5", "spec.list[0].b.c": "f:6", "spec.list[1].a": "f:8",
		"spec.list[1].missing": "f:8", "spec.list[7]": "f:5", "other": "f:2", "metadata.labels[a.b]": "f:2",
	} {
		if got := all[0].At(field); got != want {
			t.Errorf("field %q is at %s, want %s", field, got, want)
		}
	}
	if got := all[1].At("apiVersion"); got != "f:11" {
		t.Errorf("the second's apiVersion is at %s, want f:11", got)
	}
}

func TestFilesThatAreNoManifests(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"nothing":             {"", "f: there is no object in it"},
		"comments":            {"# a\n---\n# b\n", "f: there is no object in it"},
		"no mapping":          {"- a\n", "f:1: want an object, with apiVersion and kind"},
		"no kind":             {"\napiVersion: v1\n", "f:2: apiVersion or kind is missing: is it a manifest?"},
		"a key twice":         {"kind: A\napiVersion: v1\nkind: B\n", `f:3: key "kind" already set in map`},
		"an endless anchor":   {"kind: A\napiVersion: v1\nspec: &a {b: *a}\n", "f: error converting YAML to JSON: yaml: anchor 'a' value contains itself"},
		"--- in a text":       {"text: |\n  ---\n", "f:1: apiVersion or kind is missing: is it a manifest?"},
		"in a later document": {"kind: A\napiVersion: v1\n---\nkind: [\n", "f:4: did not find expected node content"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if _, err := Parse("f", []byte(tc.text)); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}
