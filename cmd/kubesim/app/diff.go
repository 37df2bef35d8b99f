package app

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/kubesim-dev/kubesim/internal/datadir"
	"github.com/kubesim-dev/kubesim/internal/eventlog"
)

func newDiff(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "diff A.log B.log",
		Short: "Explain where two event logs part",
		Long: "Explain where two event logs part: the first line that differs, what differs in it, and what likely caused that.\n\n" +
			"The same seed and the same inputs give the same log, byte for byte. Exits with 0 if they are the same, else with 1.",
		Example: "  kubesim serve --event-log A.log …\n  kubesim diff A.log B.log",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usageError{fmt.Errorf("%s: want two event logs, for example A.log B.log", cmd.CommandPath())}
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			a, err := readLog(args[0])
			if err != nil {
				return err
			}
			b, err := readLog(args[1])
			if err != nil {
				return err
			}
			d := eventlog.Compare(a, b)
			if d == nil {
				_, err := fmt.Fprintf(s.out, "The logs are the same: %d lines, up to %s.\n", len(a), a[len(a)-1].At.Format("2006-01-02T15:04:05Z"))
				return err
			}
			if err := eventlog.Print(s.out, args[0], args[1], d); err != nil {
				return err
			}
			return exitError{exitFailed}
		},
	}
}

func readLog(path string) ([]eventlog.Line, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, datadir.Cause(err))
	}
	defer f.Close()
	lines, err := eventlog.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return lines, nil
}
