package engine

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
)

func TestNotesOutliveTheirReconciler(t *testing.T) {
	type memory struct {
		At   time.Time
		Done bool
	}
	key := Key{Controller: "x", Namespace: "default", Name: "a"}
	before := Notes[memory]{{Namespace: "default", Name: "a"}: {At: time.Date(2026, 1, 1, 0, 0, 0, 5, time.UTC), Done: true}}
	after := Notes[memory]{}
	note, err := before.Remember(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := after.Recall(t.Context(), key, note, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("notes (-before +after):\n%s", diff)
	}
	if note, err := before.Remember(Key{Controller: "x", Namespace: "default", Name: "b"}); note != nil || err != nil {
		t.Errorf("a key without a note has %q, %v", note, err)
	}
	ofKind := Key{Controller: "x", Kind: "pods", Namespace: "default", Name: "a"}
	if note, err := before.Remember(ofKind); note != nil || err != nil {
		t.Errorf("a key of another Kind has the note %q, %v", note, err)
	}
	if err := after.Recall(t.Context(), key, []byte("no JSON"), time.Time{}); err == nil {
		t.Error("a broken note was taken")
	}
	if got := after[types.NamespacedName{Namespace: "default", Name: "a"}]; !got.Done {
		t.Error("a broken note has overwritten another")
	}
}
