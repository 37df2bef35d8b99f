package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kubesim-dev/kubesim/internal/overlay"
)

// apart is what may differ from a real cluster, in the lines of one file of
// testdata/oracle: pattern is the whole of such a line.
type apart struct{ file, pattern, reason string }

func allApart() []apart {
	const (
		own     = "kubesim's own group"
		metrics = "on a real cluster, metrics-server brings it"
	)
	return []apart{
		{"api-resources", `(clocks|faults|podscripts) .*sim\.kubesim\.dev/v1alpha1 .*`, own},
		{"api-resources", `(pods|nodes) metrics\.k8s\.io/v1beta1 .*`, metrics},
		{"api-versions", `sim\.kubesim\.dev/v1alpha1`, own},
		{"api-versions", `metrics\.k8s\.io/v1beta1`, metrics},
		{"openapi-v3-paths", `apis/sim\.kubesim\.dev(/v1alpha1)?`, own},
		{"openapi-v3-paths", `apis/metrics\.k8s\.io(/v1beta1)?`, metrics},
		{"objects-at-start", `apiservices <none> v1alpha1\.sim\.kubesim\.dev`, own},
		{"objects-at-start", `apiservices <none> v1beta1\.metrics\.k8s\.io`, metrics},
		{"objects-at-start", `ipaddresses <none> 10\.(96|0)\.0\.1`, "kubeadm's range of Services' addresses is not kube-apiserver's default"},
		{"objects-at-start", `storageclasses <none> standard`, "a kind cluster has it"},
	}
}

// TestAnEmptyClusterIsARealOne compares what a server serves, and the objects that it
// has at its start, with a real control plane. Everything that differs is in allApart.
func TestAnEmptyClusterIsARealOne(t *testing.T) {
	t.Parallel()
	s := newServer(t, "--ephemeral", "--nodes", "0")
	var paths struct{ Paths map[string]any }
	if err := json.Unmarshal([]byte(s.output(t, "kubectl", "get", "--raw", "/openapi/v3")), &paths); err != nil {
		t.Fatal(err)
	}
	exceptions, used := allApart(), map[int]bool{}
	for file, got := range map[string][]string{
		"api-resources":    lines(s.output(t, "kubectl", "api-resources", "-o", "wide", "--sort-by=name")),
		"api-versions":     lines(s.output(t, "kubectl", "api-versions")),
		"openapi-v3-paths": slices.Sorted(maps.Keys(paths.Paths)),
		"objects-at-start": objectsOf(t, s),
	} {
		want := lines(overlay.Read(t, filepath.Join("testdata/oracle", file+".txt")))
		if file == "objects-at-start" {
			want = underHeadings(want)
		}
		for _, line := range differ(want, got) {
			at := slices.IndexFunc(exceptions, func(a apart) bool {
				return a.file == file && regexp.MustCompile(`^[-+]`+a.pattern+`$`).MatchString(line)
			})
			if at < 0 {
				t.Errorf("%s (-real +kubesim): %s", file, line)
				continue
			}
			used[at] = true
		}
	}
	for i, a := range exceptions {
		if !used[i] {
			t.Errorf("%s: %s does not differ: take it out of allApart", a.file, a.pattern)
		}
	}
}

// objectsOf lists the objects of the resources that the oracle lists.
func objectsOf(t *testing.T, s *server) []string {
	t.Helper()
	var out []string
	for _, line := range lines(overlay.Read(t, "testdata/oracle/objects-at-start.txt")) {
		resource, ok := strings.CutPrefix(line, "# ")
		if !ok {
			continue
		}
		objects := s.output(t, "kubectl", "get", resource, "-A", "-o", "custom-columns=N:.metadata.namespace,O:.metadata.name", "--no-headers")
		out = append(out, underHeadings(append([]string{line}, lines(objects)...))...)
	}
	return out
}

// underHeadings puts in front of each line the heading that it is under.
func underHeadings(all []string) []string {
	var out []string
	heading := ""
	for _, line := range all {
		if under, ok := strings.CutPrefix(line, "# "); ok {
			heading = under
			continue
		}
		out = append(out, heading+" "+line)
	}
	return out
}

// lines are the lines of a table, with one space between columns.
func lines(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// differ returns the lines that only one has, those of want with -, of got with +.
func differ(want, got []string) []string {
	var out []string
	for _, line := range want {
		if !slices.Contains(got, line) {
			out = append(out, "-"+line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			out = append(out, "+"+line)
		}
	}
	return out
}

// TestOpenAPIIsUpstreams compares the schemas and paths of OpenAPI v3 with those that
// the release publishes. These were made with other feature gates: without enums, with CBOR.
func TestOpenAPIIsUpstreams(t *testing.T) {
	t.Parallel()
	published := filepath.Join(overlay.ModuleDir(t, "k8s.io/kubernetes"), "api", "openapi-spec", "v3")
	s := newServer(t, "--ephemeral", "--nodes", "0")
	compared := 0
	for _, path := range lines(overlay.Read(t, "testdata/oracle/openapi-v3-paths.txt")) {
		theirs, err := os.ReadFile(filepath.Join(published, strings.ReplaceAll(path, "/", "__")+"_openapi.json"))
		if err != nil {
			t.Fatal(err)
		}
		ours := s.output(t, "kubectl", "get", "--raw", "/openapi/v3/"+path)
		if ours == "" {
			continue // TestAnEmptyClusterIsARealOne says why
		}
		want, got := document(t, string(theirs)), document(t, ours)
		delete(want, "info")
		delete(got, "info")
		if a, b := fmt.Sprint(want), fmt.Sprint(got); a != b {
			t.Errorf("/openapi/v3/%s is not upstream's: compare with %s", path, published)
		}
		compared++
	}
	if compared < 40 {
		t.Errorf("%d paths were compared", compared)
	}
}

// document is a document without CBOR and enums, and without what is said of these in words.
func document(t *testing.T, text string) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	withoutGated(out)
	return out
}

func withoutGated(in any) {
	switch v := in.(type) {
	case map[string]any:
		delete(v, "enum")
		maps.DeleteFunc(v, func(key string, _ any) bool { return strings.Contains(key, "cbor") })
		if text, ok := v["description"].(string); ok {
			text, _, _ = strings.Cut(text, "Possible enum values:")
			v["description"] = strings.TrimSpace(text)
		}
		for _, each := range v {
			withoutGated(each)
		}
	case []any:
		for _, each := range v {
			withoutGated(each)
		}
	}
}
