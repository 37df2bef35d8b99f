package storage

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/apis/example"
	"k8s.io/apiserver/pkg/storage"
)

// actorKey is where a test's context has the author of a write.
type actorKey struct{}

func as(t *testing.T, who string) context.Context {
	return context.WithValue(t.Context(), actorKey{}, who)
}

// openActors opens a DB that knows its writers, with a store of Pods.
func openActors(t *testing.T, path string) (*DB, *Store) {
	t.Helper()
	db, err := Open(Config{Path: path, Now: newClock().now, Actor: func(ctx context.Context) string {
		who, _ := ctx.Value(actorKey{}).(string)
		return who
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeDB(t, db) })
	return db, podStore(t, db, testCodec(t), nil)
}

func writePod(t *testing.T, s *Store, who, name string, labels map[string]string) {
	t.Helper()
	update := func(runtime.Object, storage.ResponseMeta) (runtime.Object, *uint64, error) {
		pod := &example.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
		return pod, nil, nil
	}
	if err := s.GuaranteedUpdate(as(t, who), "/pods/a/"+name, &example.Pod{}, true, nil, update, nil); err != nil {
		t.Fatal(err)
	}
}

func deletePod(t *testing.T, s *Store, who, name string) {
	t.Helper()
	if err := s.Delete(as(t, who), "/pods/a/"+name, &example.Pod{}, nil, storage.ValidateAllObjectFunc, nil, storage.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}

// tell returns the history of namespace a, a line each.
func tell(t *testing.T, db *DB, match func(string, []byte) bool) []string {
	t.Helper()
	versions, err := db.History(t.Context(), schema.GroupResource{Resource: "pods"}, "a/", match)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, v := range versions {
		line := fmt.Sprintf("%d %s %s by %q", v.Revision, v.Type, v.Key, v.Actor)
		if v.Cut {
			line += " cut"
		}
		if pod := v.Object.(*example.Pod); pod.ResourceVersion != fmt.Sprint(v.Revision) {
			t.Errorf("%s: resourceVersion %s", line, pod.ResourceVersion)
		}
		out = append(out, line)
	}
	return out
}

func all(string, []byte) bool { return true }

func TestHistoryTellsWhoWroteWhatAlsoAfterARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kubesim.db")
	db, s := openActors(t, path)
	long := strings.Repeat("x", 300)
	writePod(t, s, "client/ann", "one", nil)
	writePod(t, s, "", "two", nil)
	writePod(t, s, long, "one", map[string]string{"a": "needle"})
	deletePod(t, s, "client/bob", "one")
	want := []string{
		`2 ADDED a/one by "client/ann"`,
		`3 ADDED a/two by ""`,
		`4 MODIFIED a/one by "` + long[:255] + `"`,
		`5 DELETED a/one by "client/bob"`,
	}
	if got := tell(t, db, all); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	closeDB(t, db)
	db, _ = openActors(t, path)
	if got := tell(t, db, all); !slices.Equal(got, want) {
		t.Errorf("after a restart: got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	needle := func(_ string, value []byte) bool { return strings.Contains(string(value), "needle") }
	if got, want := tell(t, db, needle), []string{want[0], want[2], want[3]}; !slices.Equal(got, want) {
		t.Errorf("of keys of which one version matches: got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if err := db.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestHistorySaysWhereItWasForgotten(t *testing.T) {
	db, s := openActors(t, filepath.Join(t.TempDir(), "kubesim.db"))
	writePod(t, s, "ann", "gone", nil)
	deletePod(t, s, "ann", "gone")
	writePod(t, s, "ann", "kept", nil)
	writePod(t, s, "bob", "kept", map[string]string{"n": "1"})
	writePod(t, s, "cid", "kept", map[string]string{"n": "2"})
	if err := db.Compact(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	want := []string{`5 MODIFIED a/kept by "bob" cut`, `6 MODIFIED a/kept by "cid"`}
	if got := tell(t, db, all); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestHistoryOfManyKeysComesInPages(t *testing.T) {
	db, s := openActors(t, filepath.Join(t.TempDir(), "kubesim.db"))
	db.cfg.Ephemeral = true // an fsync each would take long
	const n = historyPage + 10
	for i := range n {
		writePod(t, s, "ann", fmt.Sprintf("p-%d", n-i), nil)
	}
	if got := tell(t, db, all); len(got) != n || got[n-1] != fmt.Sprintf("%d ADDED a/p-1 by %q", n+1, "ann") {
		t.Errorf("%d versions, the last %q", len(got), got[len(got)-1])
	}
}

func TestAFileOfFormat2IsBroughtToThePresentOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kubesim.db")
	db, s := openActors(t, path)
	writePod(t, s, "", "old", nil) // a record without an actor is what format 2 has
	closeDB(t, db)
	withBolt(t, path, func(tx *bbolt.Tx) error { return tx.Bucket([]byte(bucketMeta)).Put([]byte(metaFormat), beUint64(2)) })
	db, s = openActors(t, path)
	writePod(t, s, "ann", "new", nil)
	want := []string{`2 ADDED a/old by ""`, `3 ADDED a/new by "ann"`}
	if got := tell(t, db, all); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	closeDB(t, db)
	withBolt(t, path, func(tx *bbolt.Tx) error {
		if v := parseInt64(tx.Bucket([]byte(bucketMeta)).Get([]byte(metaFormat))); v != formatVersion {
			t.Errorf("format %d, want %d: a kubesim that knows no actors must not open it", v, formatVersion)
		}
		return nil
	})
}
