package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/cri"
	"github.com/kubesim-dev/kubesim/kubelet-sim/lifecycle"
	"github.com/kubesim-dev/kubesim/kubelet-sim/node"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stats"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stream"
	"github.com/kubesim-dev/kubesim/kubelet-sim/volume"
)

var noon = time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC)

// cluster is an engine in mode auto with a kubelet, simulated programs and sessions.
type cluster struct {
	*Sessions
	t      *testing.T
	engine *engine.Engine
	api    *api
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	e, err := engine.New(engine.Config{Start: noon, Seed: 7, Mode: engine.Auto, Speed: 1})
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, engine: e, api: &api{engine: e, pods: map[string]*corev1.Pod{}}}
	kubelet, err := lifecycle.New(lifecycle.Config{
		Engine: e, API: c.api, Nodes: node.List(1), Runtime: cri.Simulated(), Logs: &stream.Store{}, Stats: &stats.Store{}, Memory: stats.NewBudget(1 << 30),
		Token: func(volume.TokenRequest) (string, error) { return "token", nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	c.Sessions = New(kubelet, e.AwaitRest)
	e.Register(kubelet, c.Sessions)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("engine: %v", err)
		}
		kubelet.Close()
	})
	return c
}

// start starts a Pod with one container, main, and waits until the cluster is at rest.
func (c *cluster) start(name, script string, change func(*corev1.Container)) {
	c.t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID("uid-" + name), Generation: 1},
		Spec: corev1.PodSpec{NodeName: "node-1", RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{
			Name: "main", Image: "busybox:1.36", Command: []string{"sh", "-c", script},
		}}},
	}
	if change != nil {
		change(&pod.Spec.Containers[0])
	}
	c.write(func() { c.api.commit(watch.Added, pod) })
}

// write lets one write in from outside and waits until the cluster is at rest.
func (c *cluster) write(f func()) {
	c.t.Helper()
	leave, err := c.engine.Enter(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	c.api.mu.Lock()
	f()
	c.api.mu.Unlock()
	if err := leave(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
}

// main is the container of a Pod.
func (c *cluster) main(pod string) stream.Target {
	return stream.Target{Namespace: "default", Pod: pod, Container: "main"}
}

// api is as much of an API server as the kubelet meets here: it keeps Pods.
type api struct {
	engine.API
	engine   *engine.Engine
	mu       sync.Mutex
	revision int64
	pods     map[string]*corev1.Pod
}

func (a *api) commit(how watch.EventType, pod *corev1.Pod) {
	a.revision++
	pod.ResourceVersion = fmt.Sprint(a.revision)
	a.pods[pod.Name] = pod
	a.engine.Deliver(engine.Commit{Revision: a.revision, Type: how, Resource: engine.Pods, Object: pod})
}

// Create implements engine.API: a kubelet creates Events.
func (a *api) Create(_ context.Context, _ engine.Identity, _ engine.Resource, obj engine.Object) (engine.Object, error) {
	return obj, nil
}

// Update implements engine.API.
func (a *api) Update(_ context.Context, _ engine.Identity, r engine.Resource, _ string, obj engine.Object) (engine.Object, error) {
	if r != engine.Pods {
		return obj, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	next := a.pods[obj.GetName()].DeepCopy()
	next.Status = obj.(*corev1.Pod).DeepCopy().Status
	a.commit(watch.Modified, next)
	return next, nil
}
