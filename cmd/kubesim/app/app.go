// Package app is kubesim's command line, a file a subcommand: its flags, a call, and what
// is printed.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/kubesim-dev/kubesim/internal/terminal"
)

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1 // it failed, with one line that says what to do
	exitUsage  = 2 // the command line is wrong
)

// usageError is a mistake in the command line.
type usageError struct{ error }

// exitError ends the process with a child's exit status and no message.
type exitError struct{ status int }

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", e.status) }

// streams are the process's standard streams.
type streams struct {
	in io.Reader
	// out and err are for people: whatever a terminal would obey is escaped. So is
	// text of the cluster's, by construction.
	out, err io.Writer
	// document is standard output as it is, for what must be exact: JSON, pictures, a
	// scenario, a child's output.
	document io.Writer
	// errors is standard error as it is, for a child, and for lines that change.
	errors io.Writer
}

// Main runs the command line args and returns the exit status.
func Main(args []string, in io.Reader, out, errOut io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	shown, told := terminal.NewWriter(out), terminal.NewWriter(errOut)
	defer func() { _ = errors.Join(shown.Close(), told.Close()) }() // nobody is left to tell
	root := newRoot(streams{in: in, out: shown, err: told, document: out, errors: errOut})
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var usage usageError
	var exit exitError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &exit):
		return exit.status
	case errors.As(err, &usage):
		fmt.Fprintf(told, "kubesim: %v\nRun 'kubesim --help' for usage.\n", err)
		return exitUsage
	}
	fmt.Fprintf(told, "kubesim: %v\n", err)
	return exitFailed
}

func newRoot(s streams) *cobra.Command {
	root := &cobra.Command{
		Use:           "kubesim",
		Short:         "A lightweight simulator that speaks the Kubernetes API",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          noArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(
		newUp(s), newDown(s), newList(s), newStatus(s), newLogs(s), newReset(s), newDelete(s),
		newServe(s), newClock(s), newCheck(s), newSnapshot(s), newRewind(s), newScript(s), newExplain(s), newDiff(s),
		newRun(s), newRecord(s),
		newKubectl(s), newVersion(s),
	)
	root.AddCommand(otherWords()...)
	return root
}
