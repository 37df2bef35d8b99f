package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/kubesim-dev/kubesim/internal/clusters"
	"github.com/kubesim-dev/kubesim/internal/datadir"
	"github.com/kubesim-dev/kubesim/internal/history"
	"github.com/kubesim-dev/kubesim/internal/kubeconfig"
)

func newReset(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "reset [NAME]",
		Short: "Empty a cluster; what was there becomes a snapshot",
		Long: "Empty a cluster. It begins again with the same settings: seed, start time, clock, nodes. What was there\n" +
			"becomes a snapshot first. If the cluster runs, it is stopped and started again.",
		Example: "  kubesim reset\n  kubesim reset dev",
		Args:    atMostOneName, ValidArgsFunction: completeClusters,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := existing(args)
			if err != nil {
				return err
			}
			return reset(cmd.Context(), s, c)
		},
	}
}

func reset(ctx context.Context, s streams, c *clusters.Cluster) error {
	running, err := c.Stop(ctx)
	if err != nil {
		return fmt.Errorf("cluster %s: %w", c.Name, err)
	}
	store := c.Dir.File(datadir.StoreFile)
	if _, err := os.Stat(store); err == nil {
		saved, err := (history.Files{Dir: c.Dir}).SaveOffline(ctx, "")
		if err != nil {
			return fmt.Errorf("cluster %s was not emptied: %w", c.Name, err)
		}
		if err := os.Remove(store); err != nil {
			return fmt.Errorf("%s: %w", store, datadir.Cause(err))
		}
		fmt.Fprintf(s.out, "Cluster %s is empty; what was there is snapshot %s.\n", c.Name, saved.Name)
	} else if !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s: %w", store, datadir.Cause(err))
	}
	if !running {
		return nil
	}
	up := &upCommand{s: s}
	if err := c.Start(ctx, "", nil); err != nil {
		return err
	}
	return up.use(ctx, c)
}

func newDelete(s streams) *cobra.Command {
	var confirmed bool
	cmd := &cobra.Command{
		Use:   "delete [NAME]",
		Short: "Stop a cluster and remove all of it: objects, snapshots, keys, context",
		Long: "Stop a cluster and remove all of it: objects, snapshots, keys, its context. Asks first, on a terminal;\n" +
			"elsewhere it needs --yes.",
		Example: "  kubesim delete dev\n  kubesim delete dev --yes",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && (args[0] == "cluster" || args[0] == "clusters") {
				return usageError{fmt.Errorf("kubesim delete %s: here that is 'kubesim delete NAME'", args[0])}
			}
			return atMostOneName(cmd, args)
		},
		ValidArgsFunction: completeClusters,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := clusterOf(args)
			if err != nil {
				return err
			}
			return remove(cmd.Context(), s, c, confirmed)
		},
	}
	cmd.Flags().BoolVarP(&confirmed, "yes", "y", false, "do not ask")
	return cmd
}

func remove(ctx context.Context, s streams, c *clusters.Cluster, confirmed bool) error {
	if !c.Exists() { // its context may be there, if somebody removed the directory
		return down(ctx, s, c)
	}
	if !confirmed {
		snapshots, _ := (history.Files{Dir: c.Dir}).Snapshots()
		question := fmt.Sprintf("Delete cluster %s, all its objects and snapshots (%d), in %s?", c.Name, len(snapshots), c.Dir.Path)
		said, err := yes(s, question, fmt.Sprintf("delete: without a terminal nobody can be asked whether all of cluster %s is to go: say so with --yes", c.Name))
		if err != nil {
			return err
		}
		if !said {
			return errors.New("delete: nothing was deleted")
		}
	}
	if _, err := c.Stop(ctx); err != nil {
		return fmt.Errorf("cluster %s: %w", c.Name, err)
	}
	if _, err := kubeconfig.RemoveDefault(ctx, c.Context()); err != nil {
		return err
	}
	if err := c.Delete(); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "Cluster %s is deleted.\n", c.Name)
	if _, err := os.Stat(c.Dir.Path); err == nil && c.Name != kubeconfig.DefaultName {
		fmt.Fprintf(s.out, "%s has files that kubesim did not write; they are still there.\n", c.Dir.Path)
	}
	return nil
}

// yes asks on a terminal; without one it is an error that says how to say yes.
func yes(s streams, question, without string) (bool, error) {
	if !onTerminal(s.in) {
		return false, errors.New(without)
	}
	fmt.Fprintf(s.err, "%s [y/N] ", question)
	var answer string
	_, _ = fmt.Fscanln(s.in, &answer) // nothing is no
	answer = strings.ToLower(answer)
	return answer == "y" || answer == "yes", nil
}

// onTerminal reports whether somebody can answer.
func onTerminal(in io.Reader) bool {
	f, ok := in.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
