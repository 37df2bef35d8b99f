package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/cri"
	"github.com/kubesim-dev/kubesim/kubelet-sim/node"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stats"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stream"
)

// discard is an API whose writes cost next to nothing.
type discard struct {
	engine   *engine.Engine
	revision int64
	writes   int
}

func (d *discard) Create(_ context.Context, _ engine.Identity, _ engine.Resource, obj engine.Object) (engine.Object, error) {
	d.writes++
	return obj, nil
}

func (d *discard) Update(_ context.Context, _ engine.Identity, r engine.Resource, _ string, obj engine.Object) (engine.Object, error) {
	d.writes++
	pod, ok := obj.(*corev1.Pod)
	if !ok {
		return obj, nil
	}
	next := *pod
	d.revision++
	next.ResourceVersion = strconv.FormatInt(d.revision, 10)
	d.engine.Deliver(engine.Commit{Revision: d.revision, Type: watch.Modified, Resource: r, Object: &next})
	return &next, nil
}

func (d *discard) Delete(context.Context, engine.Identity, engine.Resource, types.NamespacedName, metav1.DeleteOptions) error {
	return nil
}

func (d *discard) DeleteCollection(context.Context, engine.Identity, engine.Resource, string, metav1.DeleteOptions) error {
	return nil
}

func (d *discard) Bind(context.Context, engine.Identity, *corev1.Binding) error { return nil }

// BenchmarkPod measures what the kubelet itself costs for one short Pod, from
// its binding to Succeeded, without what the API's writes cost. The figure must
// not depend on how many Pods there are.
func BenchmarkPod(b *testing.B) {
	scripted := runs("echo hello", "sleep 3")
	for _, bench := range []struct {
		name    string
		batch   int
		runtime cri.Runtime
		program option
	}{
		{"of 1000", 1_000, &fakeRuntime{}, scripted},
		{"of 50000", 50_000, &fakeRuntime{}, scripted},
		{"with a shell", 1_000, cri.Simulated(), shell("echo hello; sleep 3; echo bye")},
	} {
		b.Run(bench.name, func(b *testing.B) {
			done, writes := 0, 0
			for done < b.N {
				n := min(bench.batch, b.N-done)
				writes += runBatch(b, n, bench.runtime, bench.program)
				done += n
			}
			b.ReportMetric(float64(writes)/float64(b.N), "writes/op")
		})
	}
}

func runBatch(b *testing.B, n int, runtime cri.Runtime, program option) (writes int) {
	e, err := engine.New(engine.Config{Start: noon, Seed: 7, Mode: engine.Auto, Speed: 1})
	if err != nil {
		b.Fatal(err)
	}
	api := &discard{engine: e}
	kubelet, err := New(Config{Engine: e, API: api, Nodes: node.List(1000), Runtime: runtime, Logs: &stream.Store{}, Stats: &stats.Store{}, Memory: stats.NewBudget(1 << 30)})
	if err != nil {
		b.Fatal(err)
	}
	e.Register(kubelet)
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	for i := range n {
		pod := newPod("p"+strconv.Itoa(i), program)
		pod.UID, pod.Spec.NodeName = types.UID(pod.Name), fmt.Sprintf("node-%d", 1+i%1000)
		e.Deliver(engine.Commit{Revision: int64(i), Type: watch.Added, Resource: engine.Pods, Object: pod})
	}
	go func() { done <- e.Run(ctx) }()
	if err := e.AwaitRest(ctx); err != nil {
		b.Fatal(err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		b.Fatal(err)
	}
	for _, run := range kubelet.runs {
		if !run.Finished {
			b.Fatalf("Pod %s is not finished", run.name)
		}
	}
	return api.writes
}
