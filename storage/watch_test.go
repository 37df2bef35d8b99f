package storage

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/apis/example"
	"k8s.io/apiserver/pkg/storage"
)

func watchAll(ctx context.Context, t testing.TB, s *Store, rv string) watch.Interface {
	t.Helper()
	w, err := s.Watch(ctx, "/pods/", storage.ListOptions{ResourceVersion: rv, Recursive: true, Predicate: storage.Everything})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// expectLabels reads events and checks that they carry the labels from, from+1,
// … and ascending revisions.
func expectLabels(t testing.TB, w watch.Interface, from, to int) {
	last := 0
	for i := from; i < to; i++ {
		ev := <-w.ResultChan()
		p, ok := ev.Object.(*example.Pod)
		if !ok {
			t.Errorf("event %d is %v", i, ev)
			return
		}
		rev, err := strconv.Atoi(p.ResourceVersion)
		if err != nil || rev <= last || p.Labels["v"] != strconv.Itoa(i) {
			t.Errorf("event %d has label %s and revision %s after %d", i, p.Labels["v"], p.ResourceVersion, last)
			return
		}
		last = rev
	}
}

// TestASlowWatcherHoldsUpNobodyAndMissesNothing: the slow one reads when the
// changes have long left the ring.
func TestASlowWatcherHoldsUpNobodyAndMissesNothing(t *testing.T) {
	const changes = 2*ringChangesMax + 100
	f := newFixture(t, setup{ephemeral: true})
	create(t.Context(), t, f.Store, "/pods/ns/a")
	slow := watchAll(t.Context(), t, f.Store, "2")
	quick := watchAll(t.Context(), t, f.Store, "2")
	defer slow.Stop()
	defer quick.Stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		expectLabels(t, quick, 0, changes)
	}()
	ctx := WithoutWait(t.Context())
	for i := range changes {
		update(ctx, t, f.Store, "/pods/ns/a", strconv.Itoa(i))
	}
	<-done
	expectLabels(t, slow, 0, changes)
}

func TestAWatcherThatCompactionOvertakesGets410(t *testing.T) {
	f := newFixture(t, setup{ephemeral: true})
	create(t.Context(), t, f.Store, "/pods/ns/a")
	w := watchAll(t.Context(), t, f.Store, "2")
	defer w.Stop()
	ctx := WithoutWait(t.Context())
	for i := range 2 * ringChangesMax {
		update(ctx, t, f.Store, "/pods/ns/a", strconv.Itoa(i))
	}
	if err := f.db.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	if err := f.db.Compact(ctx, f.db.Revision()); err != nil {
		t.Fatal(err)
	}
	var last watch.Event
	for ev := range w.ResultChan() {
		last = ev
	}
	if last.Type != watch.Error || !apierrors.IsResourceExpired(apierrors.FromObject(last.Object)) {
		t.Errorf("the watch ended with %v", last)
	}
}

func TestAWatchGoesOnWhereItWasAfterARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kubesim.db")
	db := openDB(t, setup{path: path})
	s := podStore(t, db, testCodec(t), nil)
	create(t.Context(), t, s, "/pods/ns/a")
	for i := range 10 {
		update(t.Context(), t, s, "/pods/ns/a", strconv.Itoa(i))
	}
	w := watchAll(t.Context(), t, s, "7")
	expectLabels(t, w, 5, 8)
	closeDB(t, db)
	for range w.ResultChan() { // the watch ends with the DB
	}

	db = openDB(t, setup{path: path})
	s = podStore(t, db, testCodec(t), nil)
	w = watchAll(t.Context(), t, s, "10")
	defer w.Stop()
	update(t.Context(), t, s, "/pods/ns/a", "10")
	expectLabels(t, w, 8, 11)
}

func TestManyWatchersSeeEveryChange(t *testing.T) {
	const watchers, changes = 200, 300
	f := newFixture(t, setup{ephemeral: true})
	create(t.Context(), t, f.Store, "/pods/ns/a")
	var wg sync.WaitGroup
	for range watchers {
		w := watchAll(t.Context(), t, f.Store, "2")
		wg.Go(func() {
			defer w.Stop()
			expectLabels(t, w, 0, changes)
		})
	}
	for i := range changes {
		update(t.Context(), t, f.Store, "/pods/ns/a", strconv.Itoa(i))
	}
	wg.Wait()
}

func TestASelectorTurnsChangesIntoWhatItsClientSees(t *testing.T) {
	f := newFixture(t, setup{})
	pred := storage.SelectionPredicate{
		Label: labels.SelectorFromSet(labels.Set{"v": "in"}), Field: fields.Everything(),
		GetAttrs: storage.DefaultNamespaceScopedAttr,
	}
	w, err := f.Watch(t.Context(), "/pods/", storage.ListOptions{ResourceVersion: "1", Recursive: true, Predicate: pred})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	key := "/pods/ns/a"
	create(t.Context(), t, f.Store, key)        // 2: out
	update(t.Context(), t, f.Store, key, "in")  // 3
	update(t.Context(), t, f.Store, key, "out") // 4
	update(t.Context(), t, f.Store, key, "in")  // 5
	remove(t.Context(), t, f.Store, key)        // 6
	for _, want := range []string{"ADDED 3 in", "DELETED 4 in", "ADDED 5 in", "DELETED 6 in"} {
		ev := <-w.ResultChan()
		p := ev.Object.(*example.Pod)
		if got := fmt.Sprintf("%s %s %s", ev.Type, p.ResourceVersion, p.Labels["v"]); got != want {
			t.Errorf("event %q, want %q", got, want)
		}
	}
}

// TestProgressComesAfterWhatItPromises: a bookmark at a revision follows every
// event up to it, and goes to watches that take bookmarks only.
func TestProgressComesAfterWhatItPromises(t *testing.T) {
	f := newFixture(t, setup{ephemeral: true})
	pred := storage.Everything
	pred.AllowWatchBookmarks = true
	w, err := f.Watch(t.Context(), "/pods/", storage.ListOptions{ResourceVersion: "1", Recursive: true, Predicate: pred})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	plain := watchAll(t.Context(), t, f.Store, "1")
	defer plain.Stop()
	create(t.Context(), t, f.Store, "/pods/ns/a")
	for range 20 {
		f.bump(t.Context(), t) // another resource
	}
	f.db.NotifyProgress()
	update(t.Context(), t, f.Store, "/pods/ns/a", "x") // 23
	if ev := <-w.ResultChan(); ev.Type != watch.Added {
		t.Errorf("first comes %v", ev)
	}
	seen := map[watch.EventType]string{}
	for ev := range w.ResultChan() {
		seen[ev.Type] = ev.Object.(*example.Pod).ResourceVersion
		if ev.Type == watch.Modified {
			f.db.NotifyProgress()
		}
		if seen[watch.Bookmark] == "23" && seen[watch.Modified] == "23" {
			break
		}
	}
	for _, want := range []watch.EventType{watch.Added, watch.Modified} {
		if ev := <-plain.ResultChan(); ev.Type != want {
			t.Errorf("without bookmarks: %v, want %s", ev, want)
		}
	}
}
