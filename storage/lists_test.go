package storage

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/apis/example"
	"k8s.io/apiserver/pkg/storage"
)

const megabyte = 1_000_000

// largePods is a store of n Pods of a megabyte under /pods/big/, none of them decoded, and
// one small Pod.
func largePods(t *testing.T, n int, room int64, wait time.Duration) (*Store, *countingCodec) {
	t.Helper()
	codec := &countingCodec{Codec: testCodec(t)}
	db := openDB(t, setup{ephemeral: true, cacheBytes: -1})
	db.lists = newLists(room, wait)
	s := podStore(t, db, codec, nil)
	for i := range n {
		if err := s.Create(t.Context(), fmt.Sprintf("/pods/big/%03d", i), large(fmt.Sprintf("%03d", i), megabyte), nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	create(t.Context(), t, s, "/pods/small/a")
	codec.decodes.Store(0)
	return s, codec
}

func listPods(ctx context.Context, s *Store, prefix string, limit int64) (*example.PodList, error) {
	pred := storage.Everything
	pred.Limit = limit
	list := &example.PodList{}
	return list, s.GetList(ctx, prefix, storage.ListOptions{Predicate: pred, Recursive: true}, list)
}

// TestLargeListsWaitForEachOther: what is decoded for lists at one time has a bound, however
// many there are; each of them gets all of it.
func TestLargeListsWaitForEachOther(t *testing.T) {
	objects, clients := 60, 8
	if testing.Short() || raceEnabled {
		objects, clients = 20, 4
	}
	s, codec := largePods(t, objects, int64(objects)<<20+20<<20, time.Hour)
	var peak, answered atomic.Int64
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			ctx, end := s.db.BeginList(t.Context(), false)
			defer end()
			list, err := listPods(ctx, s, "/pods/big/", 0)
			if err != nil || len(list.Items) != objects {
				t.Errorf("%d items, %v", len(list.Items), err)
			}
			// The others have decoded no more than what is free, before they waited.
			if now := codec.decodes.Load() - int64(objects)*answered.Add(1); now > peak.Load() {
				peak.Store(now)
			}
		})
	}
	wg.Wait()
	if free := int64(clients * listFree / megabyte); peak.Load() > int64(objects)+free {
		t.Errorf("%d objects were decoded for lists under way at once, want %d, and %d that are free", peak.Load(), objects, free)
	}
}

// TestSmallListsDoNotWait: neither a list of little nor a page waits while a large list has
// all the room, nor one that is part of something else.
func TestSmallListsDoNotWait(t *testing.T) {
	s, _ := largePods(t, 30, 40<<20, time.Hour)
	first, end := s.db.BeginList(t.Context(), false)
	if _, err := listPods(first, s, "/pods/big/", 0); err != nil {
		t.Fatal(err)
	}
	for name, ask := range map[string]struct {
		prefix string
		limit  int64
		part   bool
		want   int
	}{
		"a list of little":               {prefix: "/pods/small/", want: 1},
		"a page":                         {prefix: "/pods/big/", limit: 3, want: 3},
		"a list within some other thing": {prefix: "/pods/", part: true, want: 31},
	} {
		ctx, end := t.Context(), func() {}
		if !ask.part {
			ctx, end = s.db.BeginList(ctx, false)
		}
		if list, err := listPods(ctx, s, ask.prefix, ask.limit); err != nil || len(list.Items) != ask.want {
			t.Errorf("%s: %d items, %v, want %d", name, len(list.Items), err, ask.want)
		}
		end()
	}
	done := make(chan error)
	go func() {
		ctx, end := s.db.BeginList(t.Context(), false)
		defer end()
		_, err := listPods(ctx, s, "/pods/big/", 0)
		done <- err
	}()
	end()
	if err := <-done; err != nil {
		t.Errorf("the next large list: %v", err)
	}
}

// TestALargeListIsTurnedAwayInTheEnd: with upstream's error, after which clients come again.
func TestALargeListIsTurnedAwayInTheEnd(t *testing.T) {
	s, _ := largePods(t, 30, 20<<20, time.Nanosecond)
	first, end := s.db.BeginList(t.Context(), false)
	if _, err := listPods(first, s, "/pods/big/", 0); err != nil {
		t.Fatal(err)
	}
	second, endSecond := s.db.BeginList(t.Context(), false)
	_, err := listPods(second, s, "/pods/big/", 0)
	endSecond()
	if seconds, suggests := apierrors.SuggestsClientDelay(err); !apierrors.IsTooManyRequests(err) || !suggests || seconds != 1 {
		t.Errorf("the second list: %v", err)
	}
	end()
	third, endThird := s.db.BeginList(t.Context(), true)
	defer endThird()
	if _, err := listPods(third, s, "/pods/big/", 0); err != nil {
		t.Errorf("after the first has ended: %v", err)
	}
}

// TestPagesOfLargeObjectsAreCounted: pages that end by their size have the same tokens and
// counts as others.
func TestPagesOfLargeObjectsAreCounted(t *testing.T) {
	s, _ := largePods(t, 12, 40<<20, time.Hour)
	list, err := listPods(t.Context(), s, "/pods/big/", 10)
	if err != nil || len(list.Items) != 10 || list.Continue == "" || list.RemainingItemCount == nil || *list.RemainingItemCount != 2 {
		t.Errorf("%d items, %v, continue %q, remaining %v", len(list.Items), err, list.Continue, list.RemainingItemCount)
	}
}

// TestLargeObjectsAreHeldOnce: neither their encoding is kept beside what is decoded of
// them, nor, in writes that wait for an ephemeral file, what these have deleted.
func TestLargeObjectsAreHeldOnce(t *testing.T) {
	const objects = 60
	s := podStore(t, openDB(t, setup{cacheBytes: DefaultCacheBytes, ephemeral: true}), testCodec(t), nil)
	empty := live()
	for i := range objects {
		name := fmt.Sprint("large-", i)
		if err := s.Create(t.Context(), "/pods/ns/"+name, large(name, megabyte), nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.db.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if held := live() - empty; held > objects*megabyte*3/2 {
		t.Errorf("%d MB are held of %d objects of 1 MB", held/megabyte, objects)
	}
	for i := range objects {
		key := fmt.Sprint("/pods/ns/large-", i)
		if err := s.Delete(t.Context(), key, &example.Pod{}, nil, storage.ValidateAllObjectFunc, nil, storage.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if held := live() - empty; held > objects*megabyte/2 {
		t.Errorf("%d MB are held of %d objects of 1 MB that were deleted", held/megabyte, objects)
	}
}

// live is what is left of the heap when it is collected. Unit: bytes.
func live() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestTheEngineStoresNothingTooLarge: a client could never update it.
func TestTheEngineStoresNothingTooLarge(t *testing.T) {
	s := keptPods(t, t.TempDir()+"/kubesim.db")
	ctx := WithoutWait(t.Context())
	for _, size := range []int{0, 100, 900_000, 1_570_000} {
		key := fmt.Sprint("/pods/ns/fits-", size)
		if _, err := s.CreateKept(ctx, key, large(fmt.Sprint("fits-", size), size), 0); err != nil {
			t.Errorf("creating one of %d bytes: %v", size, err)
		}
	}
	if _, err := s.CreateKept(ctx, "/pods/ns/large", large("large", 3<<19), 0); !errors.Is(err, rpctypes.ErrRequestTooLarge) {
		t.Errorf("creating one of 1.5 MiB: %v", err)
	}
	grow := func(old kruntime.Object, _ storage.ResponseMeta) (kruntime.Object, *uint64, error) {
		pod := old.(*example.Pod).DeepCopy()
		pod.Annotations = large("", 3<<19).Annotations
		return pod, nil, nil
	}
	_, err := s.UpdateKept(ctx, "/pods/ns/fits-0", nil, grow)
	if !errors.Is(err, rpctypes.ErrRequestTooLarge) {
		t.Errorf("updating one to 1.5 MiB: %v", err)
	}
	err = s.GuaranteedUpdate(ctx, "/pods/ns/fits-100", &example.Pod{}, false, nil, grow, nil)
	if !errors.Is(err, rpctypes.ErrRequestTooLarge) {
		t.Errorf("updating one by GuaranteedUpdate: %v", err)
	}
}
