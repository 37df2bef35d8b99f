package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubesim-dev/kubesim/internal/datadir"
	"github.com/kubesim-dev/kubesim/internal/handlers"
	"github.com/kubesim-dev/kubesim/internal/history"
	"github.com/kubesim-dev/kubesim/storage"
)

// historyClient is what snapshot and rewind share. They ask a running server or,
// given the data directory of one that does not run, work on its files.
type historyClient struct {
	kubeconfig, dataDir string
	s                   streams
}

func (c *historyClient) flags(cmd *cobra.Command) {
	cmd.PersistentFlags().StringVar(&c.kubeconfig, "kubeconfig", "", "kubeconfig `file` of the server (default $KUBECONFIG, then ~/.kubesim/kubeconfig)")
	cmd.PersistentFlags().StringVar(&c.dataDir, "data-dir", "", "data `directory` of the server, which need not run")
	cmd.PersistentPreRunE = func(*cobra.Command, []string) error {
		if c.kubeconfig != "" && c.dataDir != "" {
			return usageError{errors.New("--kubeconfig and --data-dir: want one of them: the server is asked, or its files are")}
		}
		return nil
	}
}

func newSnapshot(s streams) *cobra.Command {
	c := &historyClient{s: s}
	cmd := &cobra.Command{
		Use:   "snapshot",
		Short: "Save, list, restore and delete states of the whole cluster",
		Long: "Save, list, restore and delete states of the whole cluster, virtual time and history included.\n\n" +
			"Snapshots lie in the server's data directory. A running server is asked; with --data-dir the\n" +
			"commands also work while none runs.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.flags(cmd)
	cmd.AddCommand(
		&cobra.Command{
			Use: "save [NAME]", Short: "Keep the present state, while the server goes on", Args: atMostOneName,
			RunE: func(cmd *cobra.Command, args []string) error {
				return c.save(cmd.Context(), append(args, "")[0])
			},
		},
		&cobra.Command{
			Use: "list", Short: "Show the snapshots", Args: noArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return c.list(cmd.Context()) },
		},
		&cobra.Command{
			Use: "restore NAME", Short: "Make the cluster what it was; the present state becomes a snapshot first",
			Args: oneArg("NAME, which 'kubesim snapshot list' shows"),
			RunE: func(cmd *cobra.Command, args []string) error { return c.restore(cmd.Context(), args[0]) },
		},
		&cobra.Command{
			Use: "delete NAME", Short: "Delete a snapshot", Example: "  kubesim snapshot delete revision-262",
			Args: oneArg("NAME, which 'kubesim snapshot list' shows"),
			RunE: func(cmd *cobra.Command, args []string) error { return c.delete(cmd.Context(), args[0]) },
		},
	)
	return cmd
}

func newRewind(s streams) *cobra.Command {
	c := &historyClient{s: s}
	cmd := &cobra.Command{
		Use:   "rewind REVISION|DURATION",
		Short: "Make the cluster what it was at a revision, or some virtual time ago",
		Long: "Make the cluster what it was at a revision (a resourceVersion), or some virtual time ago: its\n" +
			"objects, its clock, its running Pods. From there it goes on. The present state becomes a\n" +
			"snapshot first. Watches end, as after a restart of the API server.",
		Example: "  kubesim rewind 10m\n  kubesim rewind 1234",
		Args:    oneArg("REVISION or DURATION, for example 10m"),
		RunE:    func(cmd *cobra.Command, args []string) error { return c.rewind(cmd.Context(), args[0]) },
	}
	c.flags(cmd)
	return cmd
}

func atMostOneName(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usageError{fmt.Errorf("%s: want at most one NAME", cmd.CommandPath())}
	}
	return nil
}

// offline runs f on the files of --data-dir and reports whether that was the way:
// it is not if there is none, or a server has them.
func (c *historyClient) offline(f func(history.Files) error) (bool, error) {
	if c.dataDir == "" {
		return false, nil
	}
	path, err := filepath.Abs(c.dataDir)
	if err != nil {
		return true, err
	}
	d := &datadir.Dir{Path: path}
	err = f(history.Files{Dir: d})
	if errors.Is(err, storage.ErrInUse) {
		c.kubeconfig = d.File("kubeconfig")
		return false, nil
	}
	return true, err
}

func (c *historyClient) save(ctx context.Context, name string) error {
	var saved history.Snapshot
	done, err := c.offline(func(files history.Files) (err error) {
		saved, err = files.SaveOffline(ctx, name)
		return err
	})
	if !done {
		var s handlers.HistoryStatus
		if s, err = c.request(ctx, handlers.HistoryRequest{Action: "save", Name: name}); err == nil && s.Saved != nil {
			saved = *s.Saved
		}
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.s.out, "Saved snapshot %s: revision %d, %s, %d bytes.\n",
		saved.Name, saved.Revision, saved.Time.Format(time.RFC3339), saved.Bytes)
	return err
}

func (c *historyClient) list(ctx context.Context) error {
	var list []history.Snapshot
	var err error
	if c.dataDir != "" { // whether a server runs or not
		list, err = (history.Files{Dir: &datadir.Dir{Path: c.dataDir}}).Snapshots()
	} else {
		var s handlers.HistoryStatus
		s, err = c.get(ctx)
		list = s.Snapshots
	}
	if err != nil {
		return err
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(c.s.err, "No snapshots found.")
		return err
	}
	w := tabwriter.NewWriter(c.s.out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "NAME\tREVISION\tTIME\tBYTES")
	for _, s := range list {
		if s.Error != "" {
			fmt.Fprintf(w, "%s\t<unreadable>\t\t\n", s.Name)
			continue
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%d\n", s.Name, s.Revision, s.Time.Format(time.RFC3339), s.Bytes)
	}
	return w.Flush()
}

func (c *historyClient) delete(ctx context.Context, name string) error {
	var err error
	if c.dataDir != "" { // whether a server runs or not
		err = (history.Files{Dir: &datadir.Dir{Path: c.dataDir}}).Delete(name)
	} else {
		_, err = c.request(ctx, handlers.HistoryRequest{Action: "delete", Name: name})
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.s.out, "Deleted snapshot %s.\n", name)
	return err
}

func (c *historyClient) restore(ctx context.Context, name string) error {
	return c.revert(ctx, "Restored snapshot "+name, handlers.HistoryRequest{Action: "restore", Name: name}, func(files history.Files) (history.Reverted, error) {
		t, kept, err := files.RestoreOffline(ctx, name)
		if err == nil && kept != "" {
			_, err = fmt.Fprintf(c.s.err, "The damaged file is kept as %s.\n", kept)
		}
		return t, err
	})
}

func (c *historyClient) rewind(ctx context.Context, to string) error {
	if _, _, err := history.ParsePast(to); err != nil {
		return usageError{fmt.Errorf("rewind %w", err)}
	}
	return c.revert(ctx, "Rewound", handlers.HistoryRequest{Action: "rewind", To: to}, func(files history.Files) (history.Reverted, error) {
		return files.RewindOffline(ctx, to)
	})
}

// revert takes the cluster back, offline or by its server.
func (c *historyClient) revert(ctx context.Context, what string, r handlers.HistoryRequest, offline func(history.Files) (history.Reverted, error)) error {
	var t history.Reverted
	done, err := c.offline(func(files history.Files) (err error) {
		t, err = offline(files)
		return err
	})
	if !done {
		t, err = c.awaitRevert(ctx, r)
	}
	if err != nil {
		return err
	}
	return printReverted(c.s.out, what, t)
}

// revertInterval is how often awaitRevert asks. Unit: wall time.
const revertInterval = 50 * time.Millisecond

// awaitRevert asks a server and waits until it has started again.
func (c *historyClient) awaitRevert(ctx context.Context, r handlers.HistoryRequest) (history.Reverted, error) {
	asked, err := c.request(ctx, r)
	if err != nil {
		return history.Reverted{}, err
	}
	for {
		select {
		case <-ctx.Done():
			return history.Reverted{}, fmt.Errorf("%w: the server goes on with it", errInterrupted)
		case <-time.After(revertInterval):
		}
		s, err := c.get(ctx)
		switch {
		case errors.Is(err, syscall.ECONNREFUSED):
			return history.Reverted{}, fmt.Errorf("%w It ended while it took the cluster back; its own message says why", err)
		case err != nil || s.Busy:
			continue // it is on its way
		case s.Revert > asked.Revert:
			return history.Reverted{}, errors.New("somebody else has taken the cluster back since: 'kubesim snapshot list' shows what was there before")
		case s.Revert != asked.Revert:
			return history.Reverted{}, errors.New("the server was started anew meanwhile")
		case s.Error != "":
			return history.Reverted{}, errors.New(s.Error)
		default:
			return s.Reverted, nil
		}
	}
}

func (c *historyClient) get(ctx context.Context) (s handlers.HistoryStatus, err error) {
	err = askServer(ctx, c.kubeconfig, http.MethodGet, handlers.HistoryPath, nil, &s)
	return s, err
}

func (c *historyClient) request(ctx context.Context, r handlers.HistoryRequest) (s handlers.HistoryStatus, err error) {
	err = askServer(ctx, c.kubeconfig, http.MethodPost, handlers.HistoryPath, r, &s)
	return s, err
}

// printReverted tells what has happened.
func printReverted(w io.Writer, what string, t history.Reverted) error {
	when := "before the first write"
	if !t.Time.IsZero() {
		when = t.Time.UTC().Format(time.RFC3339)
	}
	if _, err := fmt.Fprintf(w, "%s: revision %d, %s.\n", what, t.Revision, when); err != nil {
		return err
	}
	if t.Before.Name != "" {
		fmt.Fprintf(w, "What was there before is snapshot %s.\n", t.Before.Name)
	}
	if t.Paused {
		fmt.Fprintln(w, "The clock is paused; 'kubesim clock resume' lets it go on.")
	}
	return nil
}
