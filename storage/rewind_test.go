package storage

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/apis/example"
	"k8s.io/apiserver/pkg/storage"
)

// TestRewindEndsWatches: a watcher learns with 410 Gone that what it has
// seen never was, and can watch again from a revision that stays.
func TestRewindEndsWatches(t *testing.T) {
	ctx := t.Context()
	f := newFixture(t, setup{})
	create(ctx, t, f.Store, "/pods/ns/a")
	kept := f.db.Revision()
	update(ctx, t, f.Store, "/pods/ns/a", "later")
	lost := f.db.Revision()

	opts := storage.ListOptions{ResourceVersion: strconv.FormatInt(kept, 10), Recursive: true, Predicate: storage.Everything}
	w, err := f.Watch(ctx, "/pods/", opts)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	if ev := <-w.ResultChan(); ev.Type != watch.Modified {
		t.Fatalf("before the rewind: %v", ev)
	}
	if err := f.db.Rewind(ctx, kept, time.Time{}, nil); err != nil {
		t.Fatal(err)
	}
	ev, open := <-w.ResultChan()
	if !open || ev.Type != watch.Error || !apierrors.IsResourceExpired(apierrors.FromObject(ev.Object)) {
		t.Fatalf("after the rewind: %v, want 410 Gone", ev)
	}
	if _, open := <-w.ResultChan(); open {
		t.Fatal("the watch goes on after its error")
	}

	again, err := f.Watch(ctx, "/pods/", opts)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Stop()
	update(ctx, t, f.Store, "/pods/ns/a", "other")
	if ev := <-again.ResultChan(); ev.Type != watch.Modified || ev.Object.(*example.Pod).Labels["v"] != "other" {
		t.Fatalf("watch again from %d: %v", kept, ev)
	}
	opts.ResourceVersion = strconv.FormatInt(lost, 10)
	never, err := f.Watch(ctx, "/pods/", opts)
	if err != nil {
		t.Fatal(err)
	}
	defer never.Stop()
	if ev := <-never.ResultChan(); !apierrors.IsResourceExpired(apierrors.FromObject(ev.Object)) {
		t.Fatalf("watch from %d, which was taken back: %v", lost, ev)
	}
}

// TestRewindBringsTTLsAndCountsBack: a key that expired after the revision is
// there again, and expires again.
func TestRewindBringsTTLsAndCountsBack(t *testing.T) {
	ctx := t.Context()
	c := newClock()
	f := newFixture(t, setup{now: c.now})
	if err := f.Create(ctx, "/pods/ns/brief", pod("/pods/ns/brief"), nil, 60); err != nil {
		t.Fatal(err)
	}
	kept := f.db.Revision()
	c.advance(time.Hour)
	if err := f.db.Expire(ctx, c.now()); err != nil {
		t.Fatal(err)
	}
	count := func() int64 {
		st, err := f.Stats(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return st.ObjectCount
	}
	if n := count(); n != 0 {
		t.Fatalf("%d keys after their time", n)
	}
	if err := f.db.Rewind(ctx, kept, time.Time{}, nil); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != 1 {
		t.Fatalf("%d keys after the rewind, want 1", n)
	}
	if at, ok := f.db.NextExpiry(); !ok || !at.Equal(newClock().now().Add(time.Minute)) {
		t.Fatalf("next expiry %v, %v", at, ok)
	}
	if err := errors.Join(f.db.Check(ctx), f.db.Expire(ctx, c.now()), f.db.Check(ctx)); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != 0 {
		t.Fatalf("%d keys after their time", n)
	}
}

// TestRewindToTheBeginning empties many pages at once.
func TestRewindToTheBeginning(t *testing.T) {
	ctx := t.Context()
	f := newFixture(t, setup{ephemeral: true})
	for i := range 2000 {
		create(WithoutWait(ctx), t, f.Store, "/pods/ns/p"+strconv.Itoa(i))
	}
	if err := f.db.Rewind(ctx, 0, time.Time{}, nil); !errors.Is(err, ErrNotKept) {
		t.Errorf("rewind to before the beginning: %v", err)
	}
	if err := f.db.Rewind(ctx, firstRevision, time.Time{}, nil); err != nil {
		t.Fatal(err)
	}
	if err := f.db.Check(ctx); err != nil {
		t.Fatal(err)
	}
	list := &example.PodList{}
	if err := f.GetList(ctx, "/pods/", storage.ListOptions{Recursive: true, Predicate: storage.Everything}, list); err != nil || len(list.Items) > 0 {
		t.Fatalf("%d Pods, %v", len(list.Items), err)
	}
}

// TestRewindToAnInstant: of the marks of one revision, those after the instant go.
func TestRewindToAnInstant(t *testing.T) {
	ctx := t.Context()
	c := newClock()
	f := newFixture(t, setup{now: c.now})
	create(ctx, t, f.Store, "/pods/ns/a")
	rev := f.db.Revision()
	for i, full := range []bool{true, false, false} {
		f.db.Mark(rev, []byte{byte(i)}, full)
	}
	at := c.now().Add(time.Minute)
	if err := f.db.Rewind(ctx, rev, at, func(mark []byte) bool { return mark[0] > 1 }); err != nil {
		t.Fatal(err)
	}
	marks, _, err := f.db.Marks(f.db.Revision())
	if err != nil || len(marks) != 2 || marks[1][0] != 1 {
		t.Errorf("marks %v, %v", marks, err)
	}
	if !f.db.LastWrite().Equal(at) {
		t.Errorf("the time is %v, want %v", f.db.LastWrite(), at)
	}
}

// TestRestoreRefusesADamagedSnapshot and harms nothing.
func TestRestoreRefusesADamagedSnapshot(t *testing.T) {
	ctx := t.Context()
	f := newFixture(t, setup{})
	create(ctx, t, f.Store, "/pods/ns/a")
	path := filepath.Join(t.TempDir(), "snapshot.db")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.db.Save(ctx, file); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(file.Truncate(5000), file.Close()); err != nil {
		t.Fatal(err)
	}
	before := f.db.Revision()
	if err := f.db.Restore(ctx, path); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), path) {
		t.Errorf("restore: %v, want ErrCorrupt that names the file", err)
	}
	if err := f.db.Restore(ctx, filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("restore of no file: %v", err)
	}
	if f.db.Revision() != before {
		t.Errorf("revision %d, was %d", f.db.Revision(), before)
	}
	if err := f.db.Check(ctx); err != nil {
		t.Error(err)
	}
}

// TestOpenUpgradesFormat1, which had no marks.
func TestOpenUpgradesFormat1(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "kubesim.db")
	old := openDB(t, setup{path: path})
	create(ctx, t, podStore(t, old, testCodec(t), nil), "/pods/ns/a")
	rev := old.Revision()
	closeDB(t, old)
	bolt, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = bolt.Update(func(tx *bbolt.Tx) error {
		return errors.Join(tx.DeleteBucket([]byte(bucketMarks)),
			tx.Bucket([]byte(bucketMeta)).Put([]byte(metaFormat), beUint64(1)))
	})
	if err = errors.Join(err, bolt.Close()); err != nil {
		t.Fatal(err)
	}

	db := openDB(t, setup{path: path})
	if err := db.Check(ctx); err != nil || db.Revision() != rev {
		t.Fatalf("revision %d, want %d: %v", db.Revision(), rev, err)
	}
}

// TestFlushedMarksAreOfTheFile: a snapshot's marks are of revisions that it has,
// although the cluster goes on while it is taken.
func TestFlushedMarksAreOfTheFile(t *testing.T) {
	ctx := t.Context()
	f := newFixture(t, setup{ephemeral: true})
	create(ctx, t, f.Store, "/pods/ns/a")
	f.db.Mark(f.db.Revision(), []byte("a"), true)
	if err := f.db.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	f.db.Mark(f.db.Revision(), []byte("later"), false)
	create(ctx, t, f.Store, "/pods/ns/b") // not in the file yet
	f.db.Mark(f.db.Revision(), []byte("b"), false)
	if err := f.db.flushMarks(); err != nil {
		t.Fatal(err)
	}
	marks, at, err := f.db.Marks(f.db.Revision())
	if err != nil || len(marks) != 2 || at != f.db.Revision()-1 {
		t.Errorf("%d marks in the file, the last of revision %d of %d, %v: want 2, and those of the last not yet", len(marks), at, f.db.Revision(), err)
	}
	if err := f.db.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	if marks, _, err = f.db.Marks(f.db.Revision()); err != nil || len(marks) != 3 {
		t.Errorf("%d marks in the end, %v: want 3", len(marks), err)
	}
}
