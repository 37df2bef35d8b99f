package storage

import (
	"context"
	"flag"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/kubernetes/pkg/apis/core"
)

// Sizes of the benchmarks of scale.
var (
	scaleMax   = flag.Int64("scale", 100_000, "BenchmarkFlatCost: number of keys at most; 1000000 takes minutes")
	updatesMax = flag.Int64("updates", 1_000_000, "BenchmarkFileGrowth: number of updates, ephemeral; a hundredth of it durable")
)

// BenchmarkFlatCost is each operation on files of 1,000 keys and more: its cost
// must not depend on how many there are.
func BenchmarkFlatCost(b *testing.B) {
	for keys := int64(1000); keys <= *scaleMax; keys *= 10 {
		if testing.Short() && keys > 10_000 {
			return
		}
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			s := benchStore(b, true)
			fill(b, s, keys)
			flatCost(b, s, keys)
		})
	}
}

// flatCost spreads each operation over all keys, of which s has that many.
func flatCost(b *testing.B, s *Store, keys int64) {
	const stride = 7919 // a prime: neighbours in time are none in the file
	created := keys
	ops := []struct {
		name string
		do   func(i int64) error
	}{
		{"create", func(int64) error {
			created++
			return s.Create(b.Context(), podKey(created-1), benchPod("pod"), &core.Pod{}, 0)
		}},
		{"get", func(i int64) error {
			return s.Get(b.Context(), podKey(i*stride%keys), storage.GetOptions{}, &core.Pod{})
		}},
		{"update", func(i int64) error {
			return s.GuaranteedUpdate(b.Context(), podKey(i*stride%keys), &core.Pod{}, false, nil, setPhase(i), nil)
		}},
		{"page-500", func(i int64) error { return listPage(b.Context(), s, podKey(i*stride%(keys/2)), 500) }},
		{"delete", func(int64) error { // what was created last
			created--
			return s.Delete(b.Context(), podKey(created), &core.Pod{}, nil, storage.ValidateAllObjectFunc, nil, storage.DeleteOptions{})
		}},
	}
	for _, op := range ops {
		b.Run(op.name, func(b *testing.B) {
			if op.name == "delete" {
				for created < keys+int64(b.N) {
					if err := ops[0].do(0); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportAllocs()
			parallel(b, 1, op.do)
		})
	}
}

// listPage lists a page of limit objects after key, or all there are.
func listPage(ctx context.Context, s *Store, key string, limit int64) error {
	token, err := storage.EncodeContinue(key+"\x00", "/pods/", s.db.Revision())
	if err != nil {
		return err
	}
	pred := storage.SelectionPredicate{Label: labels.Everything(), Field: fields.Everything(), Limit: limit, Continue: token}
	list := &core.PodList{}
	if err := s.GetList(ctx, "/pods", storage.ListOptions{Recursive: true, Predicate: pred}, list); err != nil {
		return err
	}
	if len(list.Items) == 0 {
		return fmt.Errorf("an empty page after %s", key)
	}
	return nil
}

// BenchmarkFileGrowth updates 10,000 keys over and over, while compaction leaves
// the last 20,000 revisions, and reports the file's size on the way. It also
// reports how long a writer waited at worst, beside compaction and without.
func BenchmarkFileGrowth(b *testing.B) {
	for _, mode := range []string{"ephemeral", "durable"} {
		b.Run(mode, func(b *testing.B) {
			updates, clients := *updatesMax, 1
			if mode == "durable" {
				updates, clients = updates/100, 16
			}
			for b.Loop() {
				grow(b, benchStore(b, mode == "ephemeral"), updates, clients)
			}
		})
	}
}

func grow(b *testing.B, s *Store, updates int64, clients int) {
	const keys, kept = 10_000, 20_000
	fill(b, s, keys)
	var compacting atomic.Bool
	worst := map[bool]time.Duration{}
	for _, tenths := range []int64{1, 5, 10} {
		from, to := s.db.Revision()-keys, updates*tenths/10
		for ; from < to; from += kept {
			done := make(chan error, 1)
			go func() { // as the server does, while writers go on
				compacting.Store(true)
				done <- s.db.Compact(b.Context(), max(s.db.Revision()-kept, 1))
				compacting.Store(false)
			}()
			var slow [2]atomic.Int64
			shareOut(b, clients, from, min(from+kept, to), func(i int64) error {
				beside, start := compacting.Load(), time.Now()
				err := s.GuaranteedUpdate(b.Context(), podKey(i%keys), &core.Pod{}, false, nil, setPhase(i), nil)
				storeMax(&slow[index(beside)], int64(time.Since(start)))
				return err
			})
			for _, beside := range []bool{false, true} {
				worst[beside] = max(worst[beside], time.Duration(slow[index(beside)].Load()))
			}
			if err := <-done; err != nil {
				b.Fatal(err)
			}
		}
		info, err := os.Stat(s.db.cfg.Path)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(info.Size())/1e6, fmt.Sprintf("MB@%dk", to/1000))
	}
	b.ReportMetric(float64(worst[true].Microseconds())/1000, "worst-ms-compacting")
	b.ReportMetric(float64(worst[false].Microseconds())/1000, "worst-ms-else")
}

func index(b bool) int {
	if b {
		return 1
	}
	return 0
}

func storeMax(v *atomic.Int64, n int64) {
	for {
		if old := v.Load(); n <= old || v.CompareAndSwap(old, n) {
			return
		}
	}
}
