package hook

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
	"github.com/kubesim-dev/kubesim/kubelet-sim/request"
)

// Handler is a hook of a container.
type Handler struct {
	*corev1.LifecycleHandler
	// Container is the container's name, Pod the Pod's title, as errors have them.
	Container, Pod string
}

// Begin starts the hook. run starts a command in the container, target is where requests
// go; command is nil unless one is under way. Source: handlerRunner.Run in k8s.io/kubernetes
// pkg/kubelet/lifecycle v1.37.2.
func (h Handler) Begin(run func(argv []string) (*Command, error), target request.Target, now time.Time) (begun *podstate.Hook, command *Command) {
	begun = &podstate.Hook{Since: now}
	switch {
	case h.Exec != nil:
		c, err := run(h.Exec.Command)
		if err != nil {
			begun.End(h.failed(err, ""))
			break
		}
		command = c
	case h.HTTPGet != nil:
		_, _, err := target.Get(h.HTTPGet, "lifecycle", now)
		begun.End(h.failed(err, ""))
	case h.Sleep != nil:
		begun.Until = engine.After(now, engine.Seconds(h.Sleep.Seconds))
	}
	return begun, command
}

// End has the hook end, whose command has exited with a code.
func (h Handler) End(begun *podstate.Hook, c *Command, code int32) {
	begun.End(h.failed(c.Failure(code), c.Output()))
}

// failed words the failure of a hook, nil for none. Source: handlerRunner.Run in
// k8s.io/kubernetes pkg/kubelet/lifecycle v1.37.2.
func (h Handler) failed(err error, output string) error {
	switch {
	case err == nil:
		return nil
	case h.HTTPGet != nil:
		return fmt.Errorf("HTTP lifecycle hook (%s) for Container %q in Pod %q failed - error: %w", h.HTTPGet.Path, h.Container, h.Pod, err)
	}
	//nolint:staticcheck // ST1005: the words are upstream's
	return fmt.Errorf("Exec lifecycle hook (%v) for Container %q in Pod %q failed - error: %w, message: %q", h.Exec.Command, h.Container, h.Pod, err, output)
}
