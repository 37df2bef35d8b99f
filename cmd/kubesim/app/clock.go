package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// clockClient is what the clock's subcommands share.
type clockClient struct {
	kubeconfig string
	s          streams
}

func newClock(s streams) *cobra.Command {
	c := &clockClient{s: s}
	cmd := &cobra.Command{
		Use:   "clock",
		Short: "Show or move the virtual clock of a running server",
		Long: "Show or move the virtual clock of a running server.\n\n" +
			"What moves it returns when the cluster has settled, and shows the clock.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.show(cmd.Context()) },
	}
	cmd.PersistentFlags().StringVar(&c.kubeconfig, "kubeconfig", "", "kubeconfig `file` of the server (default $KUBECONFIG, then ~/.kubesim/kubeconfig)")
	cmd.AddCommand(
		c.simple("show", "Show mode, time and next timer", func(ctx context.Context) error { return c.show(ctx) }),
		c.simple("pause", "Stop time", c.set(map[string]any{"paused": true})),
		c.simple("resume", "Let time move again", c.set(map[string]any{"paused": false})),
		c.simple("next", "Move time to the next timer", c.move(&v1alpha1.ClockAdvance{Next: true})),
		c.advance(), c.until(), c.mode(),
	)
	return cmd
}

func (c *clockClient) simple(use, short string, run func(context.Context) error) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: noArgs, RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context()) }}
}

func (c *clockClient) advance() *cobra.Command {
	return &cobra.Command{
		Use: "advance DURATION", Short: "Move time on, through every timer in between", Example: "  kubesim clock advance 10m",
		Args: oneArg("DURATION, for example 10m"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if d, err := time.ParseDuration(args[0]); err != nil || d < 0 {
				return usageError{fmt.Errorf("clock advance %q: want a positive duration of at most 2562047h, for example 10m or 24h", args[0])}
			}
			return c.move(&v1alpha1.ClockAdvance{Duration: &args[0]})(cmd.Context())
		},
	}
}

func (c *clockClient) until() *cobra.Command {
	return &cobra.Command{
		Use: "until TIME", Short: "Move time on to an instant, RFC 3339", Example: "  kubesim clock until 2026-12-24T18:00:00Z",
		Args: oneArg("TIME, RFC 3339, for example 2026-12-24T18:00:00Z"),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := time.Parse(time.RFC3339, args[0])
			if err != nil {
				return usageError{fmt.Errorf("clock until %q: want RFC 3339, for example 2026-12-24T18:00:00Z", args[0])}
			}
			return c.move(&v1alpha1.ClockAdvance{Until: &metav1.Time{Time: t}})(cmd.Context())
		},
	}
}

func (c *clockClient) mode() *cobra.Command {
	var speed float64
	cmd := &cobra.Command{
		Use: "mode MODE", Short: "Change how time moves: realtime, auto or manual",
		Args: oneArg("MODE: realtime, auto or manual"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := engine.ParseMode(args[0]); err != nil {
				return usageError{err}
			}
			if cmd.Flags().Changed("speed") {
				if err := engine.CheckSpeed(speed); err != nil {
					return usageError{fmt.Errorf("--speed: %w", err)}
				}
			}
			spec := map[string]any{"mode": args[0]}
			if speed != 0 {
				spec["speed"] = speed
			}
			return c.set(spec)(cmd.Context())
		},
	}
	cmd.Flags().Float64Var(&speed, "speed", 0, "virtual seconds per second in mode realtime (default: as it is)")
	return cmd
}

func oneArg(want string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usageError{fmt.Errorf("%s: want one argument: %s", cmd.CommandPath(), want)}
		}
		return nil
	}
}

// clockPath is the Clock in the API.
func clockPath() string {
	return "/apis/" + v1alpha1.GroupVersion().String() + "/clocks/" + v1alpha1.ClockName
}

func (c *clockClient) show(ctx context.Context) error {
	return c.ask(ctx, http.MethodGet, clockPath(), nil)
}

// set changes fields of the Clock's spec, and waits longer than the server does for a
// change to be answered, if it must: until the cluster has settled.
func (c *clockClient) set(spec map[string]any) func(context.Context) error {
	return func(ctx context.Context) error {
		clock, err := c.request(ctx, http.MethodPatch, clockPath(), map[string]any{"spec": spec})
		if err != nil {
			return err
		}
		flows := clock.Spec.Mode == string(engine.Realtime) && !clock.Spec.Paused
		if !clock.Status.Settled && !flows {
			return c.ask(ctx, http.MethodGet, clockPath()+"/settled", nil)
		}
		return c.print(clock)
	}
}

// move moves time on.
func (c *clockClient) move(how *v1alpha1.ClockAdvance) func(context.Context) error {
	return func(ctx context.Context) error {
		return c.ask(ctx, http.MethodPost, clockPath()+"/advance", how)
	}
}

// ask asks the server and prints the clock that it answers.
func (c *clockClient) ask(ctx context.Context, method, path string, r any) error {
	clock, err := c.request(ctx, method, path, r)
	if err != nil {
		return err
	}
	return c.print(clock)
}

func (c *clockClient) request(ctx context.Context, method, path string, r any) (*v1alpha1.Clock, error) {
	clock := &v1alpha1.Clock{}
	err := askServer(ctx, c.kubeconfig, method, path, r, clock)
	if errors.Is(err, errInterrupted) {
		return nil, fmt.Errorf("%w: time stops where it is", err)
	}
	return clock, err
}

func (c *clockClient) print(clock *v1alpha1.Clock) error {
	mode := clock.Spec.Mode
	if mode == string(engine.Realtime) && clock.Spec.Speed != 1 {
		mode += fmt.Sprintf(" ×%v", clock.Spec.Speed)
	}
	if clock.Spec.Paused {
		mode += ", paused"
	}
	next := "none"
	if t := clock.Status.NextTimer; t != nil {
		next = t.UTC().Format(time.RFC3339)
	}
	_, err := fmt.Fprintf(c.s.out, "mode:  %s\nnow:   %s\nnext:  %s\n", mode, clock.Status.Now.UTC().Format(time.RFC3339), next)
	return err
}
