package app

import (
	"fmt"

	"github.com/spf13/cobra"
)

// noArgs is cobra.NoArgs with our exit status.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usageError{fmt.Errorf("%s: unknown argument %q", cmd.CommandPath(), args[0])}
}
