package testcluster

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// TestFlowSchemasAreKept: upstream's own come back when they are deleted. A mandatory one
// cannot be changed; a suggested one can if the user takes it over. One that follows a
// release that does not have it goes; a user's own stays.
func TestFlowSchemasAreKept(t *testing.T) {
	t.Parallel()
	c := Start(t, Config{Seed: 5, Mode: Auto, Nodes: NoNodes})
	flows, levels := c.Client().FlowcontrolV1().FlowSchemas(), c.Client().FlowcontrolV1().PriorityLevelConfigurations()
	get := func(name string) *flowcontrolv1.FlowSchema {
		t.Helper()
		flow, err := flows.Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return flow
	}
	patch := func(name, with string) {
		t.Helper()
		if _, err := flows.Patch(t.Context(), name, types.MergePatchType, []byte(with), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"catch-all", "probes"} {
		before := get(name)
		if err := flows.Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		after := get(name)
		if diff := cmp.Diff(before.Spec, after.Spec); diff != "" || after.UID == before.UID || after.Annotations[flowcontrolv1.AutoUpdateAnnotationKey] != "true" {
			t.Errorf("%s was deleted and is back as %+v (-before +after):\n%s", name, after.ObjectMeta, diff)
		}
	}
	// Validation refuses another spec of a mandatory one.
	const mine = `{"metadata":{"annotations":{"apf.kubernetes.io/autoupdate-spec":"false"}}`
	patch("catch-all", mine+"}")
	if got := get("catch-all").Annotations[flowcontrolv1.AutoUpdateAnnotationKey]; got != "true" {
		t.Errorf("catch-all was taken over: the annotation says %q", got)
	}
	before := get("probes").Spec.MatchingPrecedence
	patch("probes", `{"spec":{"matchingPrecedence":77}}`)
	if got := get("probes").Spec.MatchingPrecedence; got != before {
		t.Errorf("probes has the precedence %d, want upstream's %d", got, before)
	}
	patch("probes", mine+`,"spec":{"matchingPrecedence":77}}`)
	if got := get("probes").Spec.MatchingPrecedence; got != 77 {
		t.Errorf("probes, which the user has taken over, has the precedence %d, want 77", got)
	}

	if err := levels.Delete(t.Context(), "exempt", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := levels.Get(t.Context(), "exempt", metav1.GetOptions{}); err != nil {
		t.Errorf("the level exempt was deleted: %v, want it back", err)
	}
	for name, annotations := range map[string]map[string]string{"old": {flowcontrolv1.AutoUpdateAnnotationKey: "true"}, "mine": nil} {
		flow := &flowcontrolv1.FlowSchema{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: annotations}, Spec: get("probes").Spec}
		if _, err := flows.Create(t.Context(), flow, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	list, err := flows.List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, flow := range list.Items {
		found[flow.Name] = true
	}
	if found["old"] || !found["mine"] {
		t.Errorf("the flow schema of an older release is there: %v, the user's own: %v; want false, true", found["old"], found["mine"])
	}
}
