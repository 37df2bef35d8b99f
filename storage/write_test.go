package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	goruntime "runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"
	"go.uber.org/goleak"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/apis/example"
	"k8s.io/apiserver/pkg/storage"
)

// holdCommits keeps the committer from writing until release is called.
func holdCommits(t *testing.T, db *DB) (release func()) {
	t.Helper()
	tx, err := db.bolt.Begin(true)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}
}

func create(ctx context.Context, t testing.TB, s *Store, key string) *example.Pod {
	t.Helper()
	out := &example.Pod{}
	if err := s.Create(ctx, key, pod(key), out, 0); err != nil {
		t.Fatal(err)
	}
	return out
}

func label(v string) storage.UpdateFunc {
	return storage.SimpleUpdate(func(obj runtime.Object) (runtime.Object, error) {
		p := obj.(*example.Pod)
		p.Labels = map[string]string{"v": v}
		return p, nil
	})
}

func update(ctx context.Context, t testing.TB, s *Store, key, v string) *example.Pod {
	t.Helper()
	out := &example.Pod{}
	if err := s.GuaranteedUpdate(ctx, key, out, false, nil, label(v), nil); err != nil {
		t.Fatal(err)
	}
	return out
}

func remove(ctx context.Context, t testing.TB, s *Store, key string) {
	t.Helper()
	err := s.Delete(ctx, key, &example.Pod{}, nil, storage.ValidateAllObjectFunc, nil, storage.DeleteOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

func get(ctx context.Context, s *Store, key string) (*example.Pod, error) {
	out := &example.Pod{}
	return out, s.Get(ctx, key, storage.GetOptions{}, out)
}

func TestAnUncommittedWriteIsSeenByTheEngineOnly(t *testing.T) {
	ctx, engine := t.Context(), WithoutWait(t.Context())
	f := newFixture(t, setup{})
	w, err := f.Watch(ctx, "/pods/", storage.ListOptions{ResourceVersion: "1", Recursive: true, Predicate: storage.Everything})
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	f.db.Observe(func(c Commit) { seen = append(seen, fmt.Sprint(c.Revision, c.Type, c.Key)) })

	release := holdCommits(t, f.db)
	create(engine, t, f.Store, "/pods/ns/a")
	update(engine, t, f.Store, "/pods/ns/a", "2")
	if got, err := get(engine, f.Store, "/pods/ns/a"); err != nil || got.ResourceVersion != "3" || got.Labels["v"] != "2" {
		t.Errorf("the engine reads %v, %v", got, err)
	}
	if got, err := get(ctx, f.Store, "/pods/ns/a"); !storage.IsNotFound(err) {
		t.Errorf("others read %v, %v before the commit", got, err)
	}
	if want := []string{"2ADDED/pods/ns/a", "3MODIFIED/pods/ns/a"}; !cmp.Equal(want, seen) {
		t.Errorf("observers (-want +got):\n%s", cmp.Diff(want, seen))
	}
	select {
	case ev := <-w.ResultChan():
		t.Errorf("a watcher sees %v before the commit", ev)
	default:
	}
	release()

	list := &example.PodList{} // waits for the commit
	if err := f.GetList(engine, "/pods/", storage.ListOptions{Recursive: true, Predicate: storage.Everything}, list); err != nil || len(list.Items) != 1 {
		t.Errorf("the engine's list has %d items, %v", len(list.Items), err)
	}
	if got, err := get(ctx, f.Store, "/pods/ns/a"); err != nil || got.ResourceVersion != "3" {
		t.Errorf("others read %v, %v after the commit", got, err)
	}
	for _, want := range []watch.EventType{watch.Added, watch.Modified} {
		if ev := <-w.ResultChan(); ev.Type != want {
			t.Errorf("event %v, want %s", ev, want)
		}
	}
}

// TestEphemeralAWriteIsSeenByAllAtOnce: the file lags behind, and no client can
// tell by key, by watch, by list or at an exact revision.
func TestEphemeralAWriteIsSeenByAllAtOnce(t *testing.T) {
	ctx := t.Context()
	f := newFixture(t, setup{ephemeral: true})
	w := watchAll(ctx, t, f.Store, "1")
	defer w.Stop()
	release := holdCommits(t, f.db)
	create(ctx, t, f.Store, "/pods/ns/a")
	for i := range ringChangesMax { // its first changes leave the ring
		update(ctx, t, f.Store, "/pods/ns/a", strconv.Itoa(i))
	}
	newest := strconv.Itoa(ringChangesMax + 2)
	if got, err := get(ctx, f.Store, "/pods/ns/a"); err != nil || got.ResourceVersion != newest {
		t.Errorf("get reads %v, %v", got, err)
	}
	if rev, err := f.GetCurrentResourceVersion(ctx); err != nil || strconv.FormatUint(rev, 10) != newest {
		t.Errorf("current revision %d, %v", rev, err)
	}
	if f.db.committed.Load() != firstRevision {
		t.Error("the file does not lag behind: this test shows nothing")
	}
	if ev := <-w.ResultChan(); ev.Type != watch.Added {
		t.Errorf("a watcher sees %v", ev)
	}
	late := watchAll(ctx, t, f.Store, "2")
	defer late.Stop()
	release()

	expectLabels(t, w, 0, ringChangesMax)
	expectLabels(t, late, 0, ringChangesMax)
	update(ctx, t, f.Store, "/pods/ns/a", "last")
	for rv, want := range map[string]string{"": "last", "3": "0", newest: strconv.Itoa(ringChangesMax - 1)} {
		opts := storage.ListOptions{ResourceVersion: rv, Recursive: true, Predicate: storage.Everything}
		if rv != "" {
			opts.ResourceVersionMatch = metav1.ResourceVersionMatchExact
		}
		list := &example.PodList{}
		if err := f.GetList(ctx, "/pods/", opts, list); err != nil || len(list.Items) != 1 || list.Items[0].Labels["v"] != want {
			t.Errorf("list at revision %q: %v, %v; want label %s", rv, list.Items, err, want)
		}
	}
}

// TestEphemeralTheFileFollows: without anybody waiting, only so much is pending.
func TestEphemeralTheFileFollows(t *testing.T) {
	synctest.Test(t, theFileFollows)
}

func theFileFollows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kubesim.db")
	db := openDB(t, setup{ephemeral: true, path: path})
	s := podStore(t, db, testCodec(t), nil)
	create(t.Context(), t, s, "/pods/ns/a")
	for i := range 3 * behindMax {
		update(t.Context(), t, s, "/pods/ns/a", strconv.Itoa(i))
	}
	synctest.Wait()
	if n := db.committed.Load(); n < behindMax {
		t.Errorf("revision %d is in the file, want at least %d: nothing wakes the committer", n, behindMax)
	}
	closeDB(t, db)

	s = podStore(t, openDB(t, setup{path: path}), testCodec(t), nil)
	if got, err := get(t.Context(), s, "/pods/ns/a"); err != nil || got.Labels["v"] != strconv.Itoa(3*behindMax-1) {
		t.Errorf("after Close the file has %v, %v", got, err)
	}
}

// TestARefusalTellsOfCommittedStateOnly: that a key exists, or that a
// precondition fails, is not told before the reason for it is durable.
func TestARefusalTellsOfCommittedStateOnly(t *testing.T) {
	uid := storage.NewUIDPreconditions("other")
	for name, try := range map[string]func(ctx context.Context, s *Store) error{
		"create": func(ctx context.Context, s *Store) error {
			return s.Create(ctx, "/pods/ns/a", pod("/pods/ns/a"), nil, 0)
		},
		"update": func(ctx context.Context, s *Store) error {
			return s.GuaranteedUpdate(ctx, "/pods/ns/a", &example.Pod{}, false, uid, label("x"), nil)
		},
		"update that changes nothing": func(ctx context.Context, s *Store) error {
			same := storage.SimpleUpdate(func(obj runtime.Object) (runtime.Object, error) { return obj, nil })
			return errors.Join(s.GuaranteedUpdate(ctx, "/pods/ns/a", &example.Pod{}, false, nil, same, nil), errors.New("done"))
		},
		"delete": func(ctx context.Context, s *Store) error {
			return s.Delete(ctx, "/pods/ns/a", &example.Pod{}, uid, storage.ValidateAllObjectFunc, nil, storage.DeleteOptions{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, setup{})
			release := holdCommits(t, f.db)
			create(WithoutWait(t.Context()), t, f.Store, "/pods/ns/a")
			answer := make(chan error, 1)
			go func() { answer <- try(t.Context(), f.Store) }()
			for !settling(t) && len(answer) == 0 {
				goruntime.Gosched()
			}
			if len(answer) > 0 {
				t.Error("answered before the commit")
			}
			release()
			if err := <-answer; err == nil {
				t.Error("want an error")
			}
		})
	}
}

// settling reports whether a goroutine waits for a commit.
func settling(t *testing.T) bool {
	t.Helper()
	if t.Context().Err() != nil {
		t.Fatal("the test is over")
	}
	stacks := make([]byte, 1<<20)
	return bytes.Contains(stacks[:goruntime.Stack(stacks, true)], []byte("storage.(*round).wait("))
}

func TestObserversSeeEveryRevisionInOrder(t *testing.T) {
	f := newFixture(t, setup{ephemeral: true})
	next := f.db.Revision() + 1
	f.db.Observe(func(c Commit) {
		if c.Revision != next {
			t.Errorf("revision %d, want %d", c.Revision, next)
		}
		next++
		m, err := f.versioner.ObjectResourceVersion(c.Object)
		if err != nil || int64(m) != c.Revision {
			t.Errorf("object of revision %d says %d, %v", c.Revision, m, err)
		}
		if (c.Previous == nil) != (c.Type == watch.Added) {
			t.Errorf("%s of revision %d has previous %v", c.Type, c.Revision, c.Previous)
		}
	})
	var wg sync.WaitGroup
	for client := range 8 {
		wg.Go(func() {
			ctx := t.Context()
			if client%2 == 0 {
				ctx = WithoutWait(ctx)
			}
			for i := range 50 {
				key := fmt.Sprintf("/pods/ns/p%d", i%5)
				_ = f.Create(ctx, key, pod(key), nil, 0)
				_ = f.GuaranteedUpdate(ctx, key, &example.Pod{}, false, nil, label(fmt.Sprint(client, i)), nil)
				if i%10 == 9 {
					_ = f.Delete(ctx, key, &example.Pod{}, nil, storage.ValidateAllObjectFunc, nil, storage.DeleteOptions{})
				}
			}
		})
	}
	wg.Wait()
	if f.db.Revision() != next-1 {
		t.Errorf("the newest revision is %d, the observers saw up to %d", f.db.Revision(), next-1)
	}
}

func TestACommittedObjectNeverChanges(t *testing.T) {
	ctx := t.Context()
	f := newFixture(t, setup{})
	var commits []Commit
	f.db.Observe(func(c Commit) { commits = append(commits, c) })
	out := create(ctx, t, f.Store, "/pods/ns/a")
	out.Name = "mine"
	got := update(ctx, t, f.Store, "/pods/ns/a", "2")
	got.ResourceVersion, got.Spec.NodeName = "mine", "mine"
	got, err := get(ctx, f.Store, "/pods/ns/a")
	if err != nil || got.Name != "a" || got.ResourceVersion != "3" || got.Spec.NodeName != "" {
		t.Errorf("a caller's change shows: %v, %v", got, err)
	}
	remove(ctx, t, f.Store, "/pods/ns/a")
	for i, want := range []string{"2 ADDED a ", "3 MODIFIED a 2", "4 DELETED a 2"} {
		p := commits[i].Object.(*example.Pod)
		if s := fmt.Sprintf("%s %s %s %s", p.ResourceVersion, commits[i].Type, p.Name, p.Labels["v"]); s != want {
			t.Errorf("commit %d is %q, want %q", i, s, want)
		}
	}
	if p := commits[2].Previous.(*example.Pod); p.ResourceVersion != "3" {
		t.Errorf("before the delete was revision %s, want 3", p.ResourceVersion)
	}
}

func TestCheckFindsAChangedSharedObject(t *testing.T) {
	db := openDB(t, setup{})
	s := podStore(t, db, testCodec(t), nil)
	db.Observe(func(c Commit) { c.Object.(*example.Pod).Labels["mine"] = "yes" })
	p := pod("/pods/ns/a")
	p.Labels = map[string]string{"v": "1"}
	if err := s.Create(t.Context(), "/pods/ns/a", p, nil, 0); err != nil {
		t.Fatal(err)
	}
	if err := db.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "/pods/ns/a at revision 2 was changed") {
		t.Errorf("Check: %v", err)
	}
}

func TestAFailedCommitEndsWritesNotReads(t *testing.T) {
	fatal := make(chan error, 2)
	db, err := Open(Config{
		Path: filepath.Join(t.TempDir(), "kubesim.db"), Now: newClock().now, OnFatal: func(err error) { fatal <- err },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); !errors.Is(err, ErrFailed) {
			t.Errorf("Close: %v", err)
		}
	}()
	s := podStore(t, db, testCodec(t), nil)
	create(t.Context(), t, s, "/pods/ns/a")
	// A bucket that is gone makes the next transaction fail.
	err = db.bolt.Update(func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte(bucketTTL)) })
	if err != nil {
		t.Fatal(err)
	}
	ttl := uint64(10)
	err = s.Create(t.Context(), "/pods/ns/b", pod("/pods/ns/b"), nil, ttl)
	if !errors.Is(err, ErrFailed) || strings.Contains(err.Error(), "\n") {
		t.Errorf("the write that failed says %v, want one line", err)
	}
	if got := <-fatal; !errors.Is(got, ErrFailed) {
		t.Errorf("OnFatal got %v", got)
	}
	if got, err := get(t.Context(), s, "/pods/ns/a"); err != nil || got.Name != "a" {
		t.Errorf("reading: %v, %v", got, err)
	}
	for what, err := range map[string]error{
		"a later write":          s.Create(t.Context(), "/pods/ns/c", pod("/pods/ns/c"), nil, 0),
		"one that does not wait": s.Create(WithoutWait(t.Context()), "/pods/ns/c", pod("/pods/ns/c"), nil, 0),
		"Sync":                   db.Sync(t.Context()),
		"Err":                    db.Err(),
		"ReadinessCheck":         s.ReadinessCheck(),
	} {
		if !errors.Is(err, ErrFailed) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestCloseLeavesNothingRunning(t *testing.T) {
	before := goleak.IgnoreCurrent()
	db := openDB(t, setup{})
	s := podStore(t, db, testCodec(t), nil)
	w := watchAll(t.Context(), t, s, "1")
	create(WithoutWait(t.Context()), t, s, "/pods/ns/a")
	closeDB(t, db)
	for range w.ResultChan() { // until it is closed
	}
	goleak.VerifyNone(t, before)
	if err := s.Create(t.Context(), "/pods/ns/b", pod("/pods/ns/b"), nil, 0); !errors.Is(err, ErrClosed) {
		t.Errorf("a write after Close: %v", err)
	}
}

// A client that is gone has nothing written for it, even where a write does not
// wait for the file.
func TestCancelledClientWritesNothing(t *testing.T) {
	f := newFixture(t, setup{ephemeral: true})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	before := f.db.Revision()
	if err := f.Create(ctx, "/pods/ns/p", pod("/pods/ns/p"), nil, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("Create: %v, want context.Canceled", err)
	}
	if after := f.db.Revision(); after != before {
		t.Errorf("revision %d, want %d as before", after, before)
	}
}

// Upstream's allocators keep one object at the resource's prefix itself.
func TestKeyEqualToPrefixIsNotCounted(t *testing.T) {
	f := newFixture(t, setup{ephemeral: true}) // its cleanup checks the counts in the file
	if err := f.bumps.Create(t.Context(), "/bumps", pod("/bumps/ns/p"), nil, 0); err != nil {
		t.Fatal(err)
	}
	stats, err := f.bumps.Stats(t.Context())
	if err != nil || stats.ObjectCount != 0 {
		t.Errorf("%d objects, %v; want none, as a list has none", stats.ObjectCount, err)
	}
}
