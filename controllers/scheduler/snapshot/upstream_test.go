package snapshot

import (
	"flag"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubesim-dev/kubesim/internal/overlay"
)

var allPlugins = flag.Bool("upstream.all", false, "run the tests of every plugin that reads a snapshot, not only of those that read all of it")

// TestUpstreamsPluginsReadOurSnapshot runs the unit tests of upstream's plugins over our
// snapshot, which stands in for that of backend/cache.
func TestUpstreamsPluginsReadOurSnapshot(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it compiles test binaries of upstream's plugins")
	}
	plugins := map[string]int{"interpodaffinity": 100, "podtopologyspread": 100}
	if *allPlugins {
		for name, cases := range map[string]int{
			"imagelocality": 5, "nodeaffinity": 50, "noderesources": 100, "tainttoleration": 20, "volumerestrictions": 20, "volumezone": 20,
		} {
			plugins[name] = cases
		}
	}
	for name, cases := range plugins {
		t.Run(name, func(t *testing.T) {
			o := overlay.New(t)
			o.Redirect("k8s.io/kubernetes/pkg/scheduler/backend/cache", "github.com/kubesim-dev/kubesim/controllers/scheduler/upstreamcache")
			o.Lay(t, "../upstreamcache/cache.go", "testdata/upstream/cache.go.txt")
			dir := "../upstream" + name
			o.LayPackage(t, filepath.Join(overlay.ModuleDir(t, "k8s.io/kubernetes"), "pkg/scheduler/framework/plugins", name), dir)
			out := overlay.Run(t, o.Build(t, dir))
			if passed := strings.Count(out, "--- PASS: "); passed < cases {
				t.Errorf("%d of upstream's cases ran, want at least %d", passed, cases)
			} else {
				t.Logf("%d of upstream's cases pass", passed)
			}
		})
	}
}
