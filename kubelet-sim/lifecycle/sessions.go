package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stream"
)

// Sessions lets clients outside speak with the programs of the Pods: kubectl
// exec, attach, port-forward. It is the stream.Host of the kubelets.
//
// Invariant: whatever a client sends is an input of the engine (engine.Ask), in
// one order with all others, and happens in a step of the session's key. A
// session wakes that key when its own program goes on: in mode auto that is work,
// although the container's may not be. A program that waits for its client is no
// reason to move time.
type Sessions struct {
	r      *Reconciler
	settle func(context.Context) error

	// live are the sessions, connections those to servers; of the engine's
	// goroutine alone.
	live        map[engine.Key]*session
	connections map[engine.Key]*connection

	// mu guards what follows.
	mu   sync.Mutex
	asks map[engine.Key][]*ask
	last int
}

// ask is what a client wants of the engine.
type ask struct {
	do   func(now time.Time)
	done chan struct{}
}

var (
	_ engine.Reconciler = (*Sessions)(nil)
	_ stream.Host       = (*Sessions)(nil)
)

// NewSessions returns the sessions of r's Pods, a reconciler of their engine. A
// command begins, and its end is told, when settle has returned: when the
// cluster is at rest, in the clock modes in which writes wait for that.
func NewSessions(r *Reconciler, settle func(context.Context) error) *Sessions {
	return &Sessions{r: r, settle: settle, live: map[engine.Key]*session{}, connections: map[engine.Key]*connection{}, asks: map[engine.Key][]*ask{}}
}

// Name implements engine.Reconciler.
func (s *Sessions) Name() string { return "session" }

// Observe implements engine.Reconciler: no commit is of interest.
func (s *Sessions) Observe(engine.Commit) []engine.Key { return nil }

// Reconcile implements engine.Reconciler. A key that nobody knows is of before a
// restart, which has ended its session.
func (s *Sessions) Reconcile(ctx context.Context, key engine.Key, now time.Time) (engine.Wake, error) {
	defer s.r.lookAtManifests(now)
	defer s.r.relieveHost(ctx, now)
	s.mu.Lock()
	asks := s.asks[key]
	delete(s.asks, key)
	s.mu.Unlock()
	for _, a := range asks {
		a.do(now)
		close(a.done)
	}
	if c := s.connections[key]; c != nil {
		return c.step(now), nil
	}
	x := s.live[key]
	if x == nil {
		return engine.Wake{}, nil
	}
	x.during(now, func() {})
	if x.ended {
		return engine.Wake{}, nil
	}
	x.wakeAt = x.wake()
	return engine.Progress(x.wakeAt), nil
}

// newKey returns the key of what a client of a Pod begins.
func (s *Sessions) newKey(namespace, pod string) engine.Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	return engine.Key{Controller: s.Name(), Namespace: namespace, Name: fmt.Sprintf("%s/%d", pod, s.last)}
}

// ask has f done in a step of key and waits for that. If ctx ends first, f is not
// done.
func (s *Sessions) ask(ctx context.Context, key engine.Key, what string, f func(now time.Time)) error {
	a := s.post(key, what, f)
	select {
	case <-a.done:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	i := slices.Index(s.asks[key], a)
	if i >= 0 {
		s.asks[key] = slices.Delete(s.asks[key], i, i+1)
	}
	s.mu.Unlock()
	if i >= 0 {
		return ctx.Err()
	}
	<-a.done // its step has begun
	return nil
}

// post is ask for who does not wait.
func (s *Sessions) post(key engine.Key, what string, f func(now time.Time)) *ask {
	a := &ask{do: f, done: make(chan struct{})}
	s.mu.Lock()
	s.asks[key] = append(s.asks[key], a)
	s.mu.Unlock()
	s.r.cfg.Engine.Ask(key, what)
	return a
}

// find returns where a container runs. Without a container's name it is enough
// that the Pod is there. Source: Kubelet.findContainer and Server.getExec in
// k8s.io/kubernetes pkg/kubelet v1.37.2.
func (s *Sessions) find(t stream.Target) (*podRun, int, error) {
	run := s.r.runs[types.NamespacedName{Namespace: t.Namespace, Name: t.Pod}]
	if run == nil || t.UID != "" && run.pod.UID != t.UID {
		return nil, 0, errors.New("pod does not exist")
	}
	if t.Container == "" {
		return run, -1, nil
	}
	i := slices.IndexFunc(run.Containers, func(c podstate.Container) bool { return c.Name == t.Container })
	if i < 0 || run.parts[i].process == nil {
		return nil, 0, fmt.Errorf("container not found (%q)", t.Container)
	}
	return run, i, nil
}

// Find implements stream.Host.
func (s *Sessions) Find(ctx context.Context, t stream.Target) error {
	var found error
	if err := s.ask(ctx, s.newKey(t.Namespace, t.Pod), "", func(time.Time) { _, _, found = s.find(t) }); err != nil {
		return err
	}
	return found
}

// Exec implements stream.Host.
func (s *Sessions) Exec(ctx context.Context, t stream.Target, command []string, c stream.Client) (int32, error) {
	if err := s.settle(ctx); err != nil {
		return 0, err
	}
	x := &session{s: s, key: s.newKey(t.Namespace, t.Pod), out: stream.NewOutput(s.r.cfg.Logs.Buffers)}
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
	return x.code, s.settle(ctx)
}

// Attach implements stream.Host.
func (s *Sessions) Attach(ctx context.Context, t stream.Target, c stream.Client) error {
	x := &session{s: s, key: s.newKey(t.Namespace, t.Pod), out: stream.NewOutput(s.r.cfg.Logs.Buffers), attached: true}
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
	return s.settle(ctx)
}

// place is a running container.
type place struct {
	r         *Reconciler
	run       *podRun
	container int
}

// during does something with the container's program at an instant, and lets the
// Pod have a step if that concerns it.
func (p place) during(now time.Time, f func()) {
	before := p.run.Containers[p.container].WakeAt
	p.run.advance(now)
	if p.run.parts[p.container].process != nil {
		f()
	}
	if p.run.parts[p.container].process != nil {
		p.run.collect(p.container, now)
	}
	if p.run.measureVolumes(now) || p.run.dirty || p.run.stirred || !p.run.Containers[p.container].WakeAt.Equal(before) {
		p.r.cfg.Engine.Poke(p.r.key(p.run.name))
	}
}

// stdinOnce tells whether the container's input ends with its first client's.
func stdinOnce(c *corev1.Container) bool { return c.Stdin && c.StdinOnce }
