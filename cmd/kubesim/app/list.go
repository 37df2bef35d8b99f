package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
	"github.com/kubesim-dev/kubesim/internal/clusters"
	"github.com/kubesim-dev/kubesim/internal/datadir"
	"github.com/kubesim-dev/kubesim/internal/history"
	"github.com/kubesim-dev/kubesim/internal/kubeconfig"
	"github.com/kubesim-dev/kubesim/internal/settings"
)

func newList(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "Show the clusters that you keep",
		Long: "Show the clusters that you keep: those in ~/.kubesim. The one that kubectl uses has a '*'. Clusters with\n" +
			"another --data-dir are not among them.",
		Example: "  kubesim list",
		Args:    noArgs,
		RunE:    func(*cobra.Command, []string) error { return list(s) },
	}
}

func list(s streams) error {
	all, err := clusters.All()
	if err != nil {
		return err
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(s.err, "No clusters found; 'kubesim up' makes one.")
		return err
	}
	current, _ := kubeconfig.Current()
	w := tabwriter.NewWriter(s.out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "CURRENT\tNAME\tSTATUS\tPROCESS\tSETTINGS\tSERVER")
	for _, c := range all {
		status, process, server, mark := "Stopped", "", "", ""
		if pid := c.Process(); pid != 0 {
			status, process = "Running", fmt.Sprint(pid)
		}
		if entry, err := c.Entry(); err == nil {
			server = entry.Server
		}
		if current == c.Context() {
			mark = "*"
		}
		kept := "<unreadable>"
		if now, err := settings.Load(c.Dir); err == nil {
			kept = describeSettings(now)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", mark, c.Name, status, process, kept, server)
	}
	return w.Flush()
}

func newStatus(s streams) *cobra.Command {
	return &cobra.Command{
		Use:     "status [NAME]",
		Short:   "Show how a cluster is; exit status 1 if it does not run",
		Example: "  kubesim status\n  kubesim status dev",
		Args:    atMostOneName, ValidArgsFunction: completeClusters,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := existing(args)
			if err != nil {
				return err
			}
			return status(cmd.Context(), s, c)
		},
	}
}

// field is one line of a status.
type field struct{ name, value string }

func status(ctx context.Context, s streams, c *clusters.Cluster) error {
	now, err := settings.Load(c.Dir)
	if err != nil {
		return err
	}
	pid := c.Process()
	fields := []field{{"name", c.Name}}
	if pid != 0 {
		fields = append(fields, field{"status", fmt.Sprintf("running, process %d", pid)})
		fields = append(fields, live(ctx, c)...)
	} else {
		fields = append(fields, field{"status", "stopped"})
	}
	fields = append(fields, field{"settings", describeSettings(now)})
	entries := c.Context()
	if current, _ := kubeconfig.Current(); current == entries {
		entries += ", the current one"
	}
	fields = append(fields, field{"context", entries}, field{"directory", c.Dir.Path})
	if snapshots, err := (history.Files{Dir: c.Dir}).Snapshots(); err == nil {
		fields = append(fields, field{"snapshots", fmt.Sprint(len(snapshots))})
	}
	for _, f := range fields {
		if _, err := fmt.Fprintf(s.out, "%-11s %s\n", f.name+":", f.value); err != nil {
			return err
		}
	}
	if pid == 0 {
		return exitError{exitFailed}
	}
	return nil
}

// live is what the server says of the cluster.
func live(ctx context.Context, c *clusters.Cluster) []field {
	ctx, cancel := context.WithTimeout(ctx, askMax)
	defer cancel()
	own := c.Dir.File("kubeconfig")
	var clock v1alpha1.Clock
	var nodes corev1.NodeList
	if err := askServer(ctx, own, http.MethodGet, clockPath(), nil, &clock); err != nil {
		return []field{{"API", "no answer: " + err.Error()}}
	}
	if err := askServer(ctx, own, http.MethodGet, "/api/v1/nodes", nil, &nodes); err != nil {
		return []field{{"API", "no answer: " + err.Error()}}
	}
	ready := 0
	for i := range nodes.Items {
		for _, condition := range nodes.Items[i].Status.Conditions {
			if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
				ready++
			}
		}
	}
	fields := []field{{"time", clock.Status.Now.UTC().Format(time.RFC3339)}, {"nodes", fmt.Sprintf("%d, %d of them Ready", len(nodes.Items), ready)}}
	if entry, err := c.Entry(); err == nil {
		fields = append(fields, field{"server", entry.Server})
	}
	return fields
}

// askMax bounds how long status waits for a server. Unit: wall time.
const askMax = 5 * time.Second

func newLogs(s streams) *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use:   "logs [NAME]",
		Short: "Show what a cluster's server in the background has printed",
		Long: "Show what a cluster's server in the background has printed: warnings, and why it has ended. The logs of\n" +
			"containers are kubectl's: 'kubectl logs POD'.",
		Example: "  kubesim logs\n  kubesim logs dev -f",
		Args:    atMostOneName, ValidArgsFunction: completeClusters,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := existing(args)
			if err != nil {
				return err
			}
			return logs(cmd.Context(), s, c, follow)
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until interrupted, or until the server ends")
	return cmd
}

// followInterval is how often a log is looked at. Unit: wall time.
const followInterval = 100 * time.Millisecond

func logs(ctx context.Context, s streams, c *clusters.Cluster, follow bool) error {
	path := c.Dir.File(clusters.LogFile)
	log, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cluster %s has no log: it was never started by 'kubesim up%s'", c.Name, argument(c))
	}
	if err != nil {
		return fmt.Errorf("log %s: %w", path, datadir.Cause(err))
	}
	defer log.Close()
	for {
		running := c.Process() != 0 // before the last words are read
		if _, err := io.Copy(s.out, log); err != nil {
			return err
		}
		if !follow || !running {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followInterval):
		}
	}
}
