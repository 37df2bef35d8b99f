package storage

import (
	"context"
	"fmt"
	goruntime "runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/etcd3"
	"k8s.io/apiserver/pkg/storage/etcd3/testserver"
	"k8s.io/apiserver/pkg/storage/value/encrypt/identity"
	"k8s.io/kubernetes/pkg/apis/core"
	utilclock "k8s.io/utils/clock"
)

// stint is after how many operations a comparison changes sides, so that noise
// hits both. It is long enough for most of what etcd writes behind, every 100 ms,
// to be in its own stint.
const stint = 1000

// contest is our store and upstream's etcd3 store on an embedded etcd, which
// its client reaches through gRPC on loopback as an API server does. Ephemeral
// means Config.Ephemeral for ours and --unsafe-no-fsync for etcd; durable, an
// fsync before the answer for both.
type contest struct {
	db     *DB
	etcd   func(prefix string) (storage.Interface, error)
	number int
}

func newContest(b *testing.B, ephemeral bool) *contest {
	b.Helper()
	cfg := testserver.NewTestConfig(b)
	cfg.UnsafeNoFsync = ephemeral
	client := testserver.RunEtcd(b, cfg)
	b.Cleanup(func() { _ = client.Close() })
	compactor := etcd3.NewCompactor(client.Client, 0, utilclock.RealClock{}, nil)
	b.Cleanup(compactor.Stop)
	return &contest{db: openDB(b, setup{ephemeral: ephemeral}), etcd: func(prefix string) (storage.Interface, error) {
		return etcd3.New(client, compactor, benchCodec(),
			func() runtime.Object { return &core.Pod{} }, func() runtime.Object { return &core.PodList{} },
			"", prefix, schema.GroupResource{Resource: "pods"}, identity.NewEncryptCheckTransformer(),
			etcd3.NewDefaultLeaseManagerConfig(), etcd3.NewDefaultDecoder(benchCodec(), storage.APIObjectVersioner{}),
			storage.APIObjectVersioner{})
	}}
}

// bench is one store in a benchmark, empty at first.
type bench struct {
	storage.Interface
	prefix string
	time   time.Duration
}

func (s *bench) key(i int64) string { return s.prefix + "/default/pod-" + strconv.FormatInt(i, 10) }

// pair returns both stores of a resource that is new to both.
func (c *contest) pair(b *testing.B) (ours, theirs *bench) {
	b.Helper()
	c.number++
	prefix := fmt.Sprintf("/pods%d", c.number)
	rc := benchConfig()
	rc.ResourcePrefix = prefix
	s, err := c.db.Resource(rc)
	if err != nil {
		b.Fatal(err)
	}
	e, err := c.etcd(prefix)
	if err != nil {
		b.Fatal(err)
	}
	return &bench{Interface: s, prefix: prefix}, &bench{Interface: e, prefix: prefix}
}

// shareOut calls op with from, from+1, … by clients at a time.
func shareOut(b *testing.B, clients int, from, to int64, op func(i int64) error) {
	b.Helper()
	var wg sync.WaitGroup
	for c := range int64(clients) {
		wg.Go(func() {
			for i := from + c; i < to; i += int64(clients) {
				if err := op(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// operation is what is compared.
type operation struct {
	prepare func(s *bench) // may be nil
	do      func(s *bench, i int64) error
	finish  func(s *bench) // ends a round; may be nil
}

// compare does b.N operations on each side, in turns, and reports how many
// times as long etcd3 takes. ns/op is ours; -benchtime counts both.
func (c *contest) compare(b *testing.B, clients int, op operation) {
	b.Helper()
	ours, theirs := c.pair(b)
	if op.prepare != nil {
		op.prepare(ours)
		op.prepare(theirs)
	}
	b.ResetTimer()
	n := int64(b.N)
	rounds := max(1, n/stint)
	for r := range rounds {
		from, to := n*r/rounds, n*(r+1)/rounds
		for _, s := range []*bench{ours, theirs} {
			b.StopTimer()
			goruntime.GC() // nobody pays for the other's garbage
			b.StartTimer()
			start := time.Now()
			shareOut(b, clients, from, to, func(i int64) error { return op.do(s, i) })
			if op.finish != nil {
				op.finish(s)
			}
			s.time += time.Since(start)
		}
	}
	b.ReportMetric(float64(ours.time.Nanoseconds())/float64(n), "ns/op")
	b.ReportMetric(float64(theirs.time.Nanoseconds())/float64(n), "etcd3-ns/op")
	b.ReportMetric(float64(theirs.time)/float64(ours.time), "x-etcd3")
}

// fillBench creates keys 0 to n.
func fillBench(b *testing.B, s *bench, n int64) {
	b.Helper()
	shareOut(b, 64, 0, n, func(i int64) error { return createBench(b.Context(), s, i) })
}

func createBench(ctx context.Context, s *bench, i int64) error {
	return s.Create(ctx, s.key(i), benchPod("pod-"+strconv.FormatInt(i, 10)), &core.Pod{}, 0)
}

func updateBench(ctx context.Context, s *bench, i, keys int64) error {
	return s.GuaranteedUpdate(ctx, s.key(i%keys), &core.Pod{}, false, nil, setPhase(i), nil)
}

// BenchmarkBesideEtcd3 holds each operation beside the same one of upstream's
// etcd3 store: codec, objects and machine are the same.
func BenchmarkBesideEtcd3(b *testing.B) {
	for _, mode := range []string{"ephemeral", "durable"} {
		b.Run(mode, func(b *testing.B) {
			c := newContest(b, mode == "ephemeral")
			for _, clients := range []int{1, 16} {
				b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) { c.operations(b, clients) })
			}
		})
	}
}

func (c *contest) operations(b *testing.B, clients int) {
	const keys = 1000
	some := func(s *bench) { fillBench(b, s, keys) }
	b.Run("create", func(b *testing.B) {
		c.compare(b, clients, operation{do: func(s *bench, i int64) error { return createBench(b.Context(), s, i) }})
	})
	b.Run("get", func(b *testing.B) {
		c.compare(b, clients, operation{prepare: some, do: func(s *bench, i int64) error {
			return s.Get(b.Context(), s.key(i%keys), storage.GetOptions{}, &core.Pod{})
		}})
	})
	b.Run("update", func(b *testing.B) {
		c.compare(b, clients, operation{prepare: some, do: func(s *bench, i int64) error {
			return updateBench(b.Context(), s, i, keys)
		}})
	})
	b.Run("delete", func(b *testing.B) {
		all := func(s *bench) { fillBench(b, s, int64(b.N)) }
		c.compare(b, clients, operation{prepare: all, do: func(s *bench, i int64) error {
			return s.Delete(b.Context(), s.key(i), &core.Pod{}, nil, storage.ValidateAllObjectFunc, nil, storage.DeleteOptions{})
		}})
	})
	b.Run("list-10k", func(b *testing.B) {
		many := func(s *bench) { fillBench(b, s, 10_000) }
		c.compare(b, clients, operation{prepare: many, do: func(s *bench, _ int64) error {
			_, err := listBench(b.Context(), s, 10_000)
			return err
		}})
	})
	b.Run("watch-100", func(b *testing.B) { c.fanOut(b, clients) })
}

// listBench lists all, which must be want objects.
func listBench(ctx context.Context, s *bench, want int) (resourceVersion string, err error) {
	list := &core.PodList{}
	err = s.GetList(ctx, s.prefix, storage.ListOptions{Recursive: true, Predicate: storage.Everything}, list)
	if err == nil && len(list.Items) != want {
		err = fmt.Errorf("%d items, want %d", len(list.Items), want)
	}
	return list.ResourceVersion, err
}

// fanOut is an update that 100 watchers see. With one client the next update
// begins when all have seen it; with more, a round ends then.
func (c *contest) fanOut(b *testing.B, clients int) {
	const keys, watchers = 100, 100
	seen := map[*bench]*sync.WaitGroup{}
	wait := func(s *bench) { seen[s].Wait() }
	c.compare(b, clients, operation{
		prepare: func(s *bench) {
			fillBench(b, s, keys)
			seen[s] = &sync.WaitGroup{}
			for range watchers {
				countEvents(b, s, keys, seen[s])
			}
		},
		do: func(s *bench, i int64) error {
			seen[s].Add(watchers)
			err := updateBench(b.Context(), s, i, keys)
			if clients == 1 {
				wait(s)
			}
			return err
		},
		finish: wait,
	})
}

// countEvents watches s, which has keys objects, from now on.
func countEvents(b *testing.B, s *bench, keys int, seen *sync.WaitGroup) {
	b.Helper()
	rv, err := listBench(b.Context(), s, keys)
	if err != nil {
		b.Fatal(err)
	}
	w, err := s.Watch(b.Context(), s.prefix, storage.ListOptions{ResourceVersion: rv, Recursive: true, Predicate: storage.Everything})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(w.Stop)
	go func() {
		for range w.ResultChan() {
			seen.Done()
		}
	}()
}
