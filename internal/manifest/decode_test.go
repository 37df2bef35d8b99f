package manifest

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sized is what these documents are read into.
type sized struct {
	Kind       string `json:"kind"`
	APIVersion string `json:"apiVersion"`
	Spec       size   `json:"spec"`
}

type size struct {
	Size int `json:"size"`
}

func TestDecodeNamesLineAndField(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"all is there":            {"kind: A\napiVersion: v1\nspec: {size: 1}\n", ""},
		"an unknown field":        {"kind: A\napiVersion: v1\nspec:\n  size: 1\n  m: 2\n", `f:5: unknown field "spec.m"`},
		"two unknown fields":      {"kind: A\napiVersion: v1\no: 1\nspec:\n  m: 2\n", "f:3: unknown field \"o\"\nf:5: unknown field \"spec.m\""},
		"a value of no such type": {"kind: A\napiVersion: v1\nspec:\n  size: one\n", "f:4: spec.size: want int, not string"},
	} {
		t.Run(name, func(t *testing.T) {
			all, err := Parse("f", []byte(tc.text))
			if err != nil {
				t.Fatal(err)
			}
			var into sized
			got := ""
			if err := all[0].Decode(&into); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsNotInTheSchemaOfAnAppliedObject(t *testing.T) {
	all, err := Parse("f", []byte("kind: Job\napiVersion: batch/v1\nmetadata: {name: a}\nspec:\n  completions: two\n  retries: 3\n"))
	if err != nil {
		t.Fatal(err)
	}
	refused := errors.New("failed to create typed patch object (/a; batch/v1, Kind=Job): errors:\n" +
		"  .spec.completions: expected numeric (int or float), got string\n  .spec.retries: field not declared in schema")
	want := "Job \"a\" is not valid:\nf:5: spec.completions: expected numeric (int or float), got string\nf:6: spec.retries: there is no such field"
	if diff := cmp.Diff(want, all[0].Refused(refused).Error()); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}
