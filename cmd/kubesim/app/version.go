package app

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/kubesim-dev/kubesim/internal/version"
)

func newVersion(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the versions of kubesim and of the Kubernetes API it serves",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(s.out, "kubesim %s (Kubernetes %s, %s, %s/%s)\n",
				version.Module(), version.Kubernetes, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
