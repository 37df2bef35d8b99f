package storage

import (
	"context"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	kruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// countingCodec counts what it decodes.
type countingCodec struct {
	kruntime.Codec
	decodes atomic.Int64
}

func (c *countingCodec) Decode(data []byte, gvk *schema.GroupVersionKind, into kruntime.Object) (kruntime.Object, *schema.GroupVersionKind, error) {
	c.decodes.Add(1)
	return c.Codec.Decode(data, gvk, into)
}

// TestOneDecodeServesAllWatchers: watchers that keep up share the object of the
// write itself; those that read the log share one decode of each version.
func TestOneDecodeServesAllWatchers(t *testing.T) {
	const watchers, changes = 50, ringChangesMax + 200
	for _, mode := range []string{"ephemeral", "durable"} {
		t.Run(mode, func(t *testing.T) {
			codec := &countingCodec{Codec: testCodec(t)}
			s := podStore(t, openDB(t, setup{ephemeral: mode == "ephemeral"}), codec, nil)
			create(t.Context(), t, s, "/pods/ns/a")
			var wg sync.WaitGroup
			for range watchers {
				w := watchAll(t.Context(), t, s, "2")
				defer w.Stop()
				wg.Go(func() { expectLabels(t, w, 0, 100) })
			}
			before := codec.decodes.Load()
			for i := range 100 {
				update(t.Context(), t, s, "/pods/ns/a", strconv.Itoa(i))
			}
			wg.Wait()
			if n := codec.decodes.Load() - before; n != 100 {
				t.Errorf("100 writes and %d watchers decode %d times, want 100", watchers, n)
			}

			engine := WithoutWait(t.Context())
			for i := 100; i < changes; i++ {
				update(engine, t, s, "/pods/ns/a", strconv.Itoa(i))
			}
			if err := s.db.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
			before = codec.decodes.Load()
			for range watchers {
				w := watchAll(t.Context(), t, s, "2")
				expectLabels(t, w, 0, changes)
				w.Stop()
			}
			if n := codec.decodes.Load() - before; n > changes {
				t.Errorf("%d watchers from the log decode %d times, want each of %d versions once", watchers, n, changes)
			}
		})
	}
}

// TestAThousandWatchersLoseNothing: a quarter keep up, a quarter read only after
// the last write, a quarter begin in the middle, from the first revision, and a
// quarter after it. Each sees every change, in order, and while many are behind,
// memory stays bounded.
func TestAThousandWatchersLoseNothing(t *testing.T) {
	const watchers = 1000
	changes := 10_000
	if testing.Short() || raceEnabled {
		changes = 1000
	}
	f := newFixture(t, setup{ephemeral: true})
	create(t.Context(), t, f.Store, "/pods/ns/a")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	before := liveHeap()
	var wg sync.WaitGroup
	written := make(chan struct{})
	watchFirst := func(after <-chan struct{}) {
		w := watchAll(ctx, t, f.Store, "2")
		wg.Go(func() {
			if after != nil {
				<-after
			}
			expectLabels(t, w, 0, changes)
		})
	}
	for range watchers / 4 {
		watchFirst(nil)
		watchFirst(written)
	}
	for i := range changes {
		update(ctx, t, f.Store, "/pods/ns/a", strconv.Itoa(i))
		if i == changes/2 {
			for range watchers / 4 {
				watchFirst(nil)
			}
		}
	}
	used := (liveHeap() - before) >> 20
	t.Logf("%d watchers, %d changes: %d MiB live after the last write", watchers, changes, used)
	if used > 192 {
		t.Errorf("%d MiB are live while watchers are behind, want at most 192", used)
	}
	close(written)
	for range watchers / 4 {
		watchFirst(nil)
	}
	wg.Wait()
}

// liveHeap returns the bytes of what is still referred to.
func liveHeap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
