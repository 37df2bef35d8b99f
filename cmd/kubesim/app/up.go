package app

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubesim-dev/kubesim/internal/clusters"
	"github.com/kubesim-dev/kubesim/internal/kubeconfig"
	"github.com/kubesim-dev/kubesim/internal/settings"
)

// upCommand is what up's flags set.
type upCommand struct {
	// settings take the flags that serve has, too; the server gets those that are given.
	settings serveFlags
	listen   string
	s        streams
}

func newUp(s streams) *cobra.Command {
	u := &upCommand{s: s}
	cmd := &cobra.Command{
		Use:   "up [NAME]",
		Short: "Start a cluster in the background, and point kubectl at it",
		Long: "Start a cluster in the background, and point kubectl at it.\n\n" +
			"Returns once its nodes are Ready. Its context, kubesim or kubesim-NAME, is merged into your kubeconfig\n" +
			"and becomes the current one; nothing else in that file changes. Without NAME the cluster lies in\n" +
			"~/.kubesim, else in ~/.kubesim/clusters/NAME. One that was there before goes on as it was.",
		Example: "  kubesim up\n  kubesim up dev --clock auto --nodes 3",
		Args:    atMostOneName, ValidArgsFunction: completeClusters,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := clusterOf(args)
			if err != nil {
				return err
			}
			return u.run(cmd.Context(), c, cmd.Flags())
		},
	}
	u.settings.addSettings(cmd.Flags())
	cmd.Flags().StringVar(&u.listen, "listen", "", "`address` of the API (default: a free port of 127.0.0.1, the same each time)")
	return cmd
}

// clusterOf is the cluster that an argument names.
func clusterOf(args []string) (*clusters.Cluster, error) {
	name := append(args, "")[0]
	if err := clusterName(name); err != nil {
		return nil, usageError{fmt.Errorf("cluster %w", err)}
	}
	return clusters.Named(name)
}

// existing is clusterOf for one that there is.
func existing(args []string) (*clusters.Cluster, error) {
	c, err := clusterOf(args)
	if err == nil && !c.Exists() {
		err = fmt.Errorf("cluster %s: %w: 'kubesim list' shows those that there are, 'kubesim up%s' makes it", c.Name, clusters.ErrNone, argument(c))
	}
	return c, err
}

// argument is what follows a command that means a cluster.
func argument(c *clusters.Cluster) string {
	if c.Name == kubeconfig.DefaultName {
		return ""
	}
	return " " + c.Name
}

func completeClusters(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	all, err := clusters.All()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, c := range all {
		names = append(names, c.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (u *upCommand) run(ctx context.Context, c *clusters.Cluster, flags *pflag.FlagSet) error {
	before, err := settings.Load(c.Dir)
	if err != nil {
		return err
	}
	if pid := c.Process(); pid != 0 {
		if err := unchanged(c, flags, before); err != nil {
			return err
		}
		fmt.Fprintf(u.s.out, "Cluster %s is running already (process %d).\n", c.Name, pid)
		return u.use(ctx, c)
	}
	if err := u.start(ctx, c, flags); err != nil {
		return err
	}
	now, err := settings.Load(c.Dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(u.s.out, "Cluster %s is running: %s.\n", c.Name, describeSettings(now))
	if now != nil && before != nil && describeSettings(now) != describeSettings(before) {
		fmt.Fprintf(u.s.out, "Before it had: %s.\n", describeSettings(before))
	}
	return u.use(ctx, c)
}

func (u *upCommand) start(ctx context.Context, c *clusters.Cluster, flags *pflag.FlagSet) error {
	var args []string
	flags.Visit(func(f *pflag.Flag) {
		if f.Name != "listen" {
			args = append(args, "--"+f.Name+"="+f.Value.String())
		}
	})
	return c.Start(ctx, u.listen, args)
}

// use makes the cluster's context the current one.
func (u *upCommand) use(ctx context.Context, c *clusters.Cluster) error {
	entry, err := c.Entry()
	if err != nil {
		return err
	}
	file, err := kubeconfig.MergeDefault(ctx, entry)
	if err != nil {
		return fmt.Errorf("cluster %s runs, but kubectl does not know it: %w; its own kubeconfig is %s", c.Name, err, c.Dir.File("kubeconfig"))
	}
	_, err = fmt.Fprintf(u.s.out, "kubectl uses it: context %s is the current one in %s.\n", c.Context(), file)
	return err
}

// unchanged refuses flags that a running cluster cannot follow.
func unchanged(c *clusters.Cluster, flags *pflag.FlagSet, now *settings.Settings) (err error) {
	if now == nil {
		return nil
	}
	is := map[string]string{"clock": now.Clock, "speed": fmt.Sprint(now.Speed), "seed": fmt.Sprint(now.Seed), "nodes": fmt.Sprint(now.Nodes)}
	if now.StartTime != nil {
		is["start-time"] = now.StartTime.Format(time.RFC3339Nano)
	}
	flags.Visit(func(f *pflag.Flag) {
		if is[f.Name] == f.Value.String() || err != nil {
			return
		}
		instead := fmt.Sprintf("stop it first with 'kubesim down%s'", argument(c))
		if f.Name == "clock" || f.Name == "speed" {
			instead = "'kubesim clock mode' changes its clock"
		}
		err = fmt.Errorf("--%s %s: cluster %s is running: %s", f.Name, f.Value, c.Name, instead)
	})
	return err
}

// describeSettings is a line of them.
func describeSettings(s *settings.Settings) string {
	if s == nil {
		return "nothing"
	}
	clock := s.Clock
	if s.Speed != 1 {
		clock += fmt.Sprintf(" ×%v", s.Speed)
	}
	if s.Paused {
		clock += ", paused"
	}
	nodes := fmt.Sprintf("%d nodes", s.Nodes)
	if s.Nodes == 1 {
		nodes = "1 node"
	}
	return fmt.Sprintf("%s, clock %s, seed %d", nodes, clock, s.Seed)
}

func newDown(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "down [NAME]",
		Short: "Stop a cluster, and take its context away",
		Long: "Stop a cluster, and take its context away. The cluster stays in its data directory: 'kubesim up' goes on\n" +
			"with it. The current context becomes what it was before.",
		Example: "  kubesim down\n  kubesim down dev",
		Args:    atMostOneName, ValidArgsFunction: completeClusters,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := clusterOf(args)
			if err != nil {
				return err
			}
			return down(cmd.Context(), s, c)
		},
	}
}

func down(ctx context.Context, s streams, c *clusters.Cluster) error {
	running, err := c.Stop(ctx)
	if err != nil {
		return fmt.Errorf("cluster %s: %w", c.Name, err)
	}
	had, err := kubeconfig.RemoveDefault(ctx, c.Context())
	if err != nil {
		return err
	}
	switch {
	case running:
		_, err = fmt.Fprintf(s.out, "Cluster %s is stopped; 'kubesim up%s' goes on with it.\n", c.Name, argument(c))
	case c.Exists():
		_, err = fmt.Fprintf(s.out, "Cluster %s was not running.\n", c.Name)
	case !had:
		_, err = existing([]string{c.Name})
	}
	if had && err == nil {
		_, err = fmt.Fprintf(s.out, "Context %s is removed.\n", c.Context())
	}
	return err
}
