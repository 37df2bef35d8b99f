package e2e

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesim-dev/kubesim/internal/overlay"
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

// TestDiscoveryIsUpstreams compares what discovery says of each resource of upstream's
// that is served, its storageVersionHash too, with api/discovery of the release.
func TestDiscoveryIsUpstreams(t *testing.T) {
	t.Parallel()
	documents := filepath.Join(overlay.ModuleDir(t, "k8s.io/kubernetes"), "api", "discovery")
	client := clientOf(t, newServer(t, "--ephemeral", "--nodes", "0")).Discovery()
	groups, err := client.ServerGroups()
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, version := range metav1.ExtractGroupVersions(groups) {
		name := "api__v1.json"
		if version != "v1" {
			name = "apis__" + strings.ReplaceAll(version, "/", "__") + ".json"
		}
		if strings.HasPrefix(version, "sim.kubesim.dev/") || strings.HasPrefix(version, "metrics.k8s.io/") {
			continue
		}
		// The list of one version: the aggregated document has no hashes.
		ours, err := client.ServerResourcesForGroupVersion(version)
		if err != nil {
			t.Fatal(err)
		}
		var theirs metav1.APIResourceList
		if err := json.Unmarshal([]byte(overlay.Read(t, filepath.Join(documents, name))), &theirs); err != nil {
			t.Fatal(err)
		}
		for _, got := range ours.APIResources {
			at := slices.IndexFunc(theirs.APIResources, func(r metav1.APIResource) bool { return r.Name == got.Name })
			if at < 0 {
				t.Errorf("%s of %s is not upstream's", got.Name, ours.GroupVersion)
				continue
			}
			want := theirs.APIResources[at]
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s of %s (-upstream +kubesim):\n%s", got.Name, ours.GroupVersion, diff)
			}
			compared++
		}
	}
	if compared < 50 {
		t.Errorf("%d resources were compared, want all of upstream's that are served", compared)
	}
}
