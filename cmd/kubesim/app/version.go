package app

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
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

// moduleVersion is the module's version where Go knows it.
func moduleVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
