package version

import (
	"runtime/debug"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBuildOf(t *testing.T) {
	for name, tc := range map[string]struct {
		settings []debug.BuildSetting
		want     Build
	}{
		"a build outside of a repository knows nothing": {[]debug.BuildSetting{{Key: "GOOS", Value: "linux"}}, Build{}},
		"a build of a commit": {
			[]debug.BuildSetting{{Key: "vcs", Value: "git"}, {Key: "vcs.revision", Value: "abc"}, {Key: "vcs.time", Value: "2026-01-02T03:04:05Z"}, {Key: "vcs.modified", Value: "false"}},
			Build{Commit: "abc", TreeState: "clean", Date: "2026-01-02T03:04:05Z"},
		},
		"a build of changed files": {
			[]debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "true"}},
			Build{Commit: "abc", TreeState: "dirty"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, buildOf(tc.settings)); diff != "" {
				t.Errorf("build (-want +got):\n%s", diff)
			}
		})
	}
}
