package lifecycle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/cri"
	"github.com/kubesim-dev/kubesim/kubelet-sim/node"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stats"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stream"
	"github.com/kubesim-dev/kubesim/kubelet-sim/volume"
)

var noon = time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC)

// cluster is an engine with the kubelets of two nodes.
type cluster struct {
	t       *testing.T
	engine  *engine.Engine
	api     *fakeAPI
	runtime cri.Runtime
	logs    *stream.Logs
	log     *bytes.Buffer
	memory  *stats.Budget
	stop    func()
	kubelet *Reconciler
	nodes   []node.Node
	// marks are those since the last full one.
	marks [][]byte
}

func newCluster(t *testing.T, mode engine.Mode) *cluster {
	return restart(t, mode, nil, &fakeRuntime{})
}

// restart starts a server on the objects of an earlier one, at the virtual
// time that it had reached.
func restart(t *testing.T, mode engine.Mode, old *cluster, runtime cri.Runtime) *cluster {
	t.Helper()
	return restartWith(t, mode, old, runtime, hostDefault)
}

// hostDefault is the memory for Pods of a host that has enough. Unit: bytes.
const hostDefault = 1 << 30

// restartWith is restart on a host with memory bytes for Pods.
func restartWith(t *testing.T, mode engine.Mode, old *cluster, runtime cri.Runtime, memory int64) *cluster {
	t.Helper()
	nodes := node.List(2)
	if old != nil {
		nodes = old.nodes
	}
	return startCluster(t, mode, old, nodes, runtime, nil, memory)
}

// resume starts a server that goes on from what the earlier one has left as a mark.
func resume(t *testing.T, mode engine.Mode, old *cluster) *cluster {
	t.Helper()
	old.stop()
	from, err := engine.ReadCheckpoint(old.marks)
	if err != nil {
		t.Fatal(err)
	}
	return startCluster(t, mode, old, old.nodes, old.runtime, from, old.memory.Limit())
}

func startCluster(t *testing.T, mode engine.Mode, old *cluster, nodes []node.Node, runtime cri.Runtime, from *engine.Checkpoint, memory int64) *cluster {
	t.Helper()
	c := &cluster{t: t, runtime: runtime, log: &bytes.Buffer{}, nodes: nodes, memory: stats.NewBudget(memory)}
	start, stream2 := noon, uint64(0)
	if old != nil {
		start, stream2 = old.engine.Now(), uint64(old.api.revision)
		old.stop()
	}
	mark := func(_ int64, state []byte, full bool) {
		if full {
			c.marks = nil
		}
		c.marks = append(c.marks, state)
	}
	var err error
	c.engine, err = engine.New(engine.Config{Start: start, Seed: 7, Stream: stream2, Mode: mode, Speed: 1, Log: c.log, Mark: mark})
	if err != nil {
		t.Fatal(err)
	}
	c.api = newFakeAPI(c.engine)
	store := &stream.Store{}
	kubelet, err := New(Config{Engine: c.engine, API: c.api, Nodes: nodes, Runtime: c.runtime, Logs: store, Stats: &stats.Store{}, Memory: c.memory,
		Token: func(r volume.TokenRequest) (string, error) { return "token of " + r.ServiceAccount, nil }})
	if err != nil {
		t.Fatal(err)
	}
	c.engine.Register(kubelet)
	c.kubelet = kubelet
	if c.logs, err = stream.NewLogs(store, c.engine.Now); err != nil {
		t.Fatal(err)
	}
	switch {
	case from != nil:
		err = c.engine.Restore(t.Context(), from, false, func(see func(engine.Commit)) error { c.replay(old.api, see); return nil })
		if err != nil {
			t.Fatal(err)
		}
	case old != nil:
		c.replay(old.api, c.engine.Deliver)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.engine.Run(ctx) }()
	c.stop = func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("engine: %v", err)
		}
		kubelet.Close()
		c.stop = func() {}
	}
	t.Cleanup(func() { c.stop() })
	if err := c.engine.AwaitRest(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// replay fills the View with what an earlier server stored.
func (c *cluster) replay(old *fakeAPI, see func(engine.Commit)) {
	c.api.revision = old.revision
	for _, r := range []engine.Resource{engine.Nodes, engine.ConfigMaps, engine.Secrets, engine.Services, engine.Pods} {
		c.api.objects[r] = old.objects[r]
		keys := []types.NamespacedName{}
		for k := range old.objects[r] {
			keys = append(keys, k)
		}
		slices.SortFunc(keys, func(a, b types.NamespacedName) int { return strings.Compare(a.String(), b.String()) })
		for _, k := range keys {
			see(engine.Commit{Revision: old.revision, Type: watch.Added, Resource: r, Object: old.objects[r][k]})
		}
	}
}

// do lets one write in from outside and waits until the cluster is at rest.
func (c *cluster) do(write func(ctx context.Context) error) {
	c.t.Helper()
	ctx := c.t.Context()
	leave, err := c.engine.Enter(ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := write(ctx); err != nil {
		c.t.Fatal(err)
	}
	if err := leave(ctx); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) create(r engine.Resource, obj engine.Object) {
	c.t.Helper()
	c.do(func(ctx context.Context) error {
		_, err := c.api.Create(ctx, engine.Identity{}, r, obj)
		return err
	})
}

func (c *cluster) advance(d time.Duration) {
	c.t.Helper()
	if err := c.engine.Advance(c.t.Context(), d); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) delete(name string) {
	c.t.Helper()
	c.do(func(ctx context.Context) error {
		return c.api.Delete(ctx, engine.Identity{}, engine.Pods, types.NamespacedName{Namespace: "default", Name: name}, metav1.DeleteOptions{})
	})
}

// read returns a container's log, or the error's text.
func (c *cluster) read(name string, opts *corev1.PodLogOptions) string {
	c.t.Helper()
	r, err := c.logs.Logs(c.t.Context(), "default", name, opts)
	if err != nil {
		return "error: " + err.Error()
	}
	data, err := io.ReadAll(r)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(data)
}

// happened returns the Events about a Pod, one a line: reason and message.
func (c *cluster) happened(name string) []string {
	var all []string
	for _, e := range c.api.events {
		if e.InvolvedObject.Name == name {
			all = append(all, fmt.Sprintf("%s %s", e.Reason, e.Message))
		}
	}
	return all
}

// story returns the Pod's states as kubectl get pods -w would show them.
func (c *cluster) story(name string) []string {
	var all []string
	for _, pod := range c.api.history {
		if pod.Name != name {
			continue
		}
		line := string(pod.Status.Phase)
		for _, s := range append(slices.Clone(pod.Status.InitContainerStatuses), pod.Status.ContainerStatuses...) {
			line += " " + s.Name + ":" + word(s.State)
			if s.RestartCount > 0 {
				line += fmt.Sprintf("(%d)", s.RestartCount)
			}
		}
		if len(all) == 0 || all[len(all)-1] != line {
			all = append(all, line)
		}
	}
	return all
}

func word(s corev1.ContainerState) string {
	switch {
	case s.Running != nil:
		return "Running"
	case s.Terminated != nil:
		return fmt.Sprintf("%s=%d", s.Terminated.Reason, s.Terminated.ExitCode)
	case s.Waiting != nil:
		return s.Waiting.Reason
	}
	return "?"
}

// pod builders.
type option func(*corev1.Pod)

func newPod(name string, options ...option) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec: corev1.PodSpec{
			NodeName: "node-1", RestartPolicy: corev1.RestartPolicyNever,
			Containers: []corev1.Container{{
				Name: "c", Image: "busybox:1.36", ImagePullPolicy: corev1.PullIfNotPresent,
				TerminationMessagePath: "/dev/termination-log", TerminationMessagePolicy: corev1.TerminationMessageReadFile,
			}},
		},
		Status: corev1.PodStatus{Phase: corev1.PodPending},
	}
	for _, o := range options {
		o(pod)
	}
	return pod
}

func runs(steps ...string) option {
	return func(p *corev1.Pod) { p.Spec.Containers[0].Command = steps }
}

func policy(r corev1.RestartPolicy) option {
	return func(p *corev1.Pod) { p.Spec.RestartPolicy = r }
}

func ofJob() option {
	yes := true
	return func(p *corev1.Pod) {
		p.OwnerReferences = []metav1.OwnerReference{{Kind: "Job", Name: "j", Controller: &yes}}
	}
}
