package session

import (
	"context"
	"fmt"
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/stream"
)

// Find implements stream.Host.
func (s *Sessions) Find(ctx context.Context, t stream.Target) error {
	var found error
	if err := s.ask(ctx, s.newKey(t.Namespace, t.Pod), "", func(time.Time) { _, found = s.pods.Container(t) }); err != nil {
		return err
	}
	return found
}

// Exec implements stream.Host.
func (s *Sessions) Exec(ctx context.Context, t stream.Target, command []string, c stream.Client) (int32, error) {
	if err := s.awaitRest(ctx); err != nil {
		return 0, err
	}
	x := &session{s: s, key: s.newKey(t.Namespace, t.Pod), out: s.pods.NewOutput()}
	defer x.out.Drop()
	what := fmt.Sprintf("exec %s/%s/%s %q", t.Namespace, t.Pod, t.Container, command)
	var failed error
	if err := s.ask(ctx, x.key, what, func(now time.Time) { failed = x.exec(t, command, c, now) }); err != nil {
		return 0, err
	}
	if failed != nil {
		return 0, failed
	}
	if err := c.Talk(ctx, x, x.out); err != nil {
		s.post(x.key, "hangup "+x.key.Name, x.hangup)
		return 0, err
	}
	return x.code, s.awaitRest(ctx)
}

// Attach implements stream.Host.
func (s *Sessions) Attach(ctx context.Context, t stream.Target, c stream.Client) error {
	x := &session{s: s, key: s.newKey(t.Namespace, t.Pod), out: s.pods.NewOutput(), attached: true}
	defer x.out.Drop()
	var failed error
	if err := s.ask(ctx, x.key, fmt.Sprintf("attach %s/%s/%s", t.Namespace, t.Pod, t.Container), func(time.Time) {
		failed = x.attach(t, c)
	}); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	err := c.Talk(ctx, x, x.out)
	s.post(x.key, "detach "+x.key.Name, x.hangup)
	if err != nil {
		return err
	}
	return s.awaitRest(ctx)
}
