package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/cri"
	"github.com/kubesim-dev/kubesim/kubelet-sim/hook"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stream"
)

// What clients outside reach of the Pods, see package session. All of it is for the
// engine's goroutine.

// Container is a running container, for a client of its programs.
type Container struct {
	r   *Reconciler
	run *podRun
	i   int
}

// Client follows the programs of a container.
type Client interface {
	// Look: they have done something.
	Look()
	// End: they have ended, with the container.
	End()
}

// client is a Client of container i.
type client struct {
	i   int
	who Client
}

// Container returns where a container runs. Without a container's name it is enough
// that the Pod is there. Source: Kubelet.findContainer and Server.getExec in
// k8s.io/kubernetes pkg/kubelet v1.37.2.
func (r *Reconciler) Container(t stream.Target) (*Container, error) {
	run := r.runs[types.NamespacedName{Namespace: t.Namespace, Name: t.Pod}]
	if run == nil || t.UID != "" && run.pod.UID != t.UID {
		return nil, errors.New("pod does not exist")
	}
	if t.Container == "" {
		return &Container{r, run, -1}, nil
	}
	i := slices.IndexFunc(run.Containers, func(c podstate.Container) bool { return c.Name == t.Container })
	if i < 0 || run.parts[i].process == nil {
		return nil, NotFound(t.Container)
	}
	return &Container{r, run, i}, nil
}

// NotFound is the error of a client whose container does not run.
func NotFound(container string) error { return fmt.Errorf("container not found (%q)", container) }

// Follow lets a client follow the container until it ends, or Unfollow is called.
func (c *Container) Follow(who Client) { c.run.clients = append(c.run.clients, client{c.i, who}) }

// Unfollow ends that.
func (c *Container) Unfollow(who Client) {
	c.run.clients = slices.DeleteFunc(slices.Clone(c.run.clients), func(o client) bool { return o.who == who })
}

// During does something with the container's program at an instant, and lets the
// Pod have a step if that concerns it. If the program has ended at that instant, it
// reports false: f was not called.
func (c *Container) During(now time.Time, f func()) (done bool) {
	run := c.run
	before := run.Containers[c.i].WakeAt
	run.advance(now)
	if run.parts[c.i].process != nil {
		f()
		done = true
	}
	if run.parts[c.i].process != nil {
		run.collect(c.i, now)
	}
	if run.measureVolumes(now) || run.dirty || run.stirred || !run.Containers[c.i].WakeAt.Equal(before) {
		c.r.cfg.Engine.Poke(c.r.key(run.name))
	}
	return done
}

// Exec starts a command beside the container's program.
func (c *Container) Exec(spec program.ExecSpec, now time.Time) (cri.Exec, error) {
	exec, err := c.run.parts[c.i].process.Exec(spec, now)
	if err != nil {
		return nil, hook.StartError(err, c.r.draw(c.run, c.i).ExecID(now))
	}
	return exec, nil
}

// Streams are those of the container's own program, and its log.
func (c *Container) Streams() (cri.Streams, *stream.Log) {
	return c.run.parts[c.i].process.Streams(), c.run.parts[c.i].log
}

// StdinOnce reports whether the container's input ends with its first client's.
func (c *Container) StdinOnce() bool {
	spec := c.run.Spec(c.run.pod, c.i)
	return spec.Stdin && spec.StdinOnce
}

// tellClients has those of container i take notice of what its programs have done.
func (r *podRun) tellClients(i int) {
	for _, c := range r.clients {
		if c.i == i {
			c.who.Look()
		}
	}
}

// endClients ends those of container i, or all if i is -1: the program is gone.
func (r *podRun) endClients(i int) {
	for _, c := range r.clients {
		if i < 0 || c.i == i {
			c.who.End()
		}
	}
}

// EndStep does what is done at the end of every step in which programs may have run.
func (r *Reconciler) EndStep(ctx context.Context, now time.Time) {
	r.relieveHost(ctx, now)
	r.lookAtManifests(now)
}

// Engine is the one that runs r.
func (r *Reconciler) Engine() *engine.Engine { return r.cfg.Engine }

// NewOutput returns a buffer for what a client gets. Its bytes count with those of all
// clients.
func (r *Reconciler) NewOutput() *stream.Output { return stream.NewOutput(r.cfg.Logs.Buffers) }

// APIServer is the address from which the API server connects: the first node's.
func (r *Reconciler) APIServer() netip.Addr { return netip.MustParseAddr(r.cfg.Nodes[0].IP) }
