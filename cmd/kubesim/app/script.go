package app

import (
	"bufio"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubesim-dev/kubesim/internal/play"
)

func newScript(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "script",
		Short: "Work with PodScripts",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newScriptTest(s))
	return cmd
}

func newScriptTest(s streams) *cobra.Command {
	d := &play.DryRun{}
	cmd := &cobra.Command{
		Use:   "test FILE [--pod POD.yaml]",
		Short: "Show what the PodScripts of a file do to a Pod, without a server",
		Long: "Show what the PodScripts of a file do to a Pod, without a server.\n\n" +
			"Runs the Pod in a cluster of its own, in virtual time, and prints its timeline: when, which container and what;\n" +
			"lines with - are steps of the script, lines with | are what the container prints.\n\n" +
			"Fails if a file is not valid, or if no script runs a container.",
		Example: "  kubesim script test flaky.yaml --pod pod.yaml\n" +
			"  kubesim script test script-and-pod.yaml --delete-after 1m",
		Args: oneArg("FILE, a manifest with PodScripts"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if d.Length <= 0 || d.DeleteAfter < 0 {
				return usageError{fmt.Errorf("--for %s, --delete-after %s: want positive durations, for example 10m", d.Length, d.DeleteAfter)}
			}
			d.Scripts = args[0]
			out := bufio.NewWriter(s.out)
			err := d.Run(cmd.Context(), out)
			if cmd.Context().Err() != nil {
				err = errInterrupted
			}
			if noPod := (play.NoPodError{}); errors.As(err, &noPod) {
				err = usageError{err}
			}
			return errors.Join(err, out.Flush())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&d.Pods, "pod", "", "`file` with the Pod, and what it needs, such as ConfigMaps, unless FILE has it; a Job does as well")
	flags.Uint64Var(&d.Seed, "seed", 1, "decides every name and random number")
	flags.DurationVar(&d.Length, "for", 30*time.Minute, "virtual time to show at most, of Pods that do not end")
	flags.DurationVar(&d.DeleteAfter, "delete-after", 0, "virtual time after which to delete the Pod (default: never)")
	return cmd
}
