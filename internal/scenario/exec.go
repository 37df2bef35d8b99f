package scenario

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// execMax bounds how long a command may take. Unit: virtual time.
const execMax = time.Hour

// exec runs a command in the first running Pod that is meant, to its end: time moves
// on in the meantime, from timer to timer.
func (p *Player) exec(ctx context.Context, st *step) error {
	pod, container, err := p.runningPod(st)
	if err != nil {
		return err
	}
	run, err := p.cluster.Exec(ctx, ExecRequest{Namespace: st.target.Namespace, Pod: pod, Container: container, Command: st.Command, Stdin: st.Stdin})
	if err != nil {
		return err
	}
	for until := p.cluster.Now().Add(execMax); ; {
		ended, code, output, err := run.Ended(ctx)
		if ended {
			return p.executed(st, code, output, err)
		}
		next := p.cluster.Next()
		if next.IsZero() || next.After(until) {
			return fmt.Errorf("the command has not ended: it has printed %q", output)
		}
		if err := p.cluster.Until(ctx, next); err != nil {
			return err
		}
		p.look()
	}
}

func (p *Player) executed(st *step, code int32, output string, err error) error {
	for line := range strings.Lines(output) {
		p.timeline.Add(p.cluster.Now(), whoStep, "| "+strings.TrimSuffix(line, "\n"))
	}
	switch {
	case err != nil:
		return err
	case code != st.ExitCode:
		return fmt.Errorf("exit code %d, want %d", code, st.ExitCode)
	case !strings.Contains(output, st.Output):
		return fmt.Errorf("it has printed %q: want %q in it", output, st.Output)
	}
	return nil
}

// runningPod finds the first running Pod that a step means, and its container: the
// one that is named, or the first.
func (p *Player) runningPod(st *step) (pod, container string, err error) {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	items, r, err := p.world.items(st.target)
	if err != nil {
		return "", "", err
	}
	if r.Kind != "Pod" {
		return "", "", fmt.Errorf("%s: want a Pod, such as pod/web or \"pods -l app=web\"", st.target)
	}
	i := slices.IndexFunc(items, func(it *item) bool {
		pod, ok := it.object.(*corev1.Pod)
		return ok && pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp == nil
	})
	if i < 0 {
		return "", "", fmt.Errorf("no Pod runs of %s", st.target)
	}
	found := items[i].object.(*corev1.Pod)
	if st.Container != "" {
		return found.Name, st.Container, nil
	}
	return found.Name, found.Spec.Containers[0].Name, nil
}
