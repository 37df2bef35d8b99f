package e2e

import (
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestEachGroupServesTheVersionThatItPrefers asks each group for itself, as clients
// without aggregated discovery do.
func TestEachGroupServesTheVersionThatItPrefers(t *testing.T) {
	t.Parallel()
	client := clientOf(t, newServer(t, "--ephemeral", "--nodes", "0")).Discovery().RESTClient()
	var list metav1.APIGroupList
	if err := client.Get().AbsPath("/apis").Do(t.Context()).Into(&list); err != nil || len(list.Groups) == 0 {
		t.Fatalf("/apis has %d groups: %v", len(list.Groups), err)
	}
	for _, g := range list.Groups {
		var group metav1.APIGroup
		if err := client.Get().AbsPath("/apis/" + g.Name).Do(t.Context()).Into(&group); err != nil {
			t.Errorf("/apis/%s: %v", g.Name, err)
		}
		if !slices.Contains(group.Versions, group.PreferredVersion) {
			t.Errorf("group %s prefers %s and serves %v", g.Name, group.PreferredVersion.GroupVersion, group.Versions)
		}
	}
}
