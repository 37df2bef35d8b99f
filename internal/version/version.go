package version

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/kubesim-dev/kubesim/apiserver"
)

// kubernetesVersion is the release whose API code is linked in; go.mod pins it.
const kubernetesVersion = "v1.37.2"

// gitVersion is what the API server reports at /version: the release, so that
// clients accept it, marked as ours.
const gitVersion = kubernetesVersion + "+kubesim"

func newVersion(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the versions of kubesim and of the Kubernetes API it serves",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(s.out, "kubesim %s (Kubernetes %s, %s, %s/%s)\n",
				moduleVersion(), kubernetesVersion, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}

// modulePath is this module's. A program that has kubesim as a library, such as a
// user's test, was built from other sources.
const modulePath = "github.com/kubesim-dev/kubesim"

// builtFrom is the commit that this binary was built from, where Go knows it.
func builtFrom() apiserver.Build {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Path != modulePath {
		return apiserver.Build{}
	}
	return buildOf(info.Settings)
}

func buildOf(settings []debug.BuildSetting) (b apiserver.Build) {
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision":
			b.Commit = s.Value
		case s.Key == "vcs.time":
			b.Date = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			b.TreeState = "dirty"
		case s.Key == "vcs.modified":
			b.TreeState = "clean"
		}
	}
	return b
}

// moduleVersion is the module's version where Go knows it.
func moduleVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
