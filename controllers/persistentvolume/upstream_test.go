package persistentvolume

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/kubesim-dev/kubesim/internal/overlay"
)

// TestUpstreamsTables runs upstream's own tests of which volume a claim gets over
// our bestMatch. Its other tables drive its whole controller through a fake client
// and volume plugins; decideClaim's and decideVolume's are modelled on them.
func TestUpstreamsTables(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it compiles another test binary")
	}
	const to, util = "../upstreampersistentvolume", "k8s.io/kubernetes/pkg/volume/util"
	o := overlay.New(t)
	from := filepath.Join(overlay.ModuleDir(t, "k8s.io/kubernetes"), "pkg/controller/volume/persistentvolume")
	redirected := strings.NewReplacer(util, "github.com/kubesim-dev/kubesim/controllers/upstreamvolumeutil")
	index := overlay.Read(t, filepath.Join(from, "index.go"))
	index = regexp.MustCompile(`\) findByClaim\(`).ReplaceAllString(index, ") upstreamFindByClaim(")
	o.LayText(t, filepath.Join(to, "index.go"), redirected.Replace(index))
	o.LayText(t, filepath.Join(to, "index_test.go"), redirected.Replace(overlay.Read(t, filepath.Join(from, "index_test.go"))))
	o.Lay(t, "../upstreamvolumeutil/util.go", "testdata/upstream/util.go.txt")
	o.Lay(t, "zz_export.go", "testdata/upstream/tables_export.go.txt")
	o.Lay(t, filepath.Join(to, "tables.go"), "testdata/upstream/tables.go.txt")
	out := overlay.Run(t, o.Build(t, to))
	for _, test := range []string{"TestMatchVolume", "TestFindingVolumeWithDifferentAccessModes", "TestFindingPreboundVolumes", "TestBestMatchDelayed"} {
		if !strings.Contains(out, "--- PASS: "+test) {
			t.Errorf("upstream's %s did not run: is this another release?\n%s", test, out)
		}
	}
}
