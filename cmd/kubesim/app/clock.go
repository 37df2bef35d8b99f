package app

import (
	"github.com/spf13/cobra"
)

func newClock(streams) *cobra.Command { return &cobra.Command{Use: "clock"} }
