package session

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/stream"
)

// Command is a command in a container, for callers in this process that advance the clock.
type Command struct {
	x      *session
	output strings.Builder
}

// Start begins a command in a container with all of its input, and returns as soon as
// it has begun: what it does follows when time moves.
func (s *Sessions) Start(ctx context.Context, t stream.Target, command []string, stdin string) (*Command, error) {
	x := &session{s: s, key: s.newKey(t.Namespace, t.Pod), out: s.pods.NewOutput()}
	client := stream.Client{}
	if stdin != "" {
		client.Stdin = strings.NewReader(stdin)
	}
	what := fmt.Sprintf("exec %s/%s/%s %q", t.Namespace, t.Pod, t.Container, command)
	var failed error
	if err := s.ask(ctx, x.key, what, func(now time.Time) { failed = x.exec(t, command, client, now) }); err != nil {
		return nil, err
	}
	if failed != nil || stdin == "" {
		return &Command{x: x}, failed
	}
	if err := x.Input(ctx, []byte(stdin), false); err != nil {
		return nil, err
	}
	return &Command{x: x}, x.Input(ctx, nil, true)
}

// Ended reports whether the command has, and what it has printed so far. It is for an
// engine at rest.
func (c *Command) Ended(ctx context.Context) (ended bool, code int32, output string, err error) {
	text, full, ended := c.x.out.Now()
	c.output.WriteString(text)
	if full {
		err = c.x.Drained(ctx)
	}
	if ended {
		code = c.x.code
	}
	return ended, code, c.output.String(), err
}
