package storage

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/apis/example"
	"k8s.io/apiserver/pkg/storage"
)

func large(name string, size int) *example.Pod {
	return &example.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "ns", Annotations: map[string]string{"x": strings.Repeat("x", size)}}}
}

// TestWhatEtcdRefusesIsRefused: upstream's handlers know the very error.
func TestWhatEtcdRefusesIsRefused(t *testing.T) {
	s := podStore(t, openDB(t, setup{}), testCodec(t), nil)
	if err := s.Create(t.Context(), "/pods/ns/fits", large("fits", 1_570_000), nil, 0); err != nil {
		t.Errorf("an object of a little less than 1.5 MiB: %v", err)
	}
	if err := s.Create(t.Context(), "/pods/ns/large", large("large", 3<<19), nil, 0); err != rpctypes.ErrRequestTooLarge { //nolint:errorlint // upstream compares it so
		t.Errorf("creating one of 1.5 MiB: %v", err)
	}
	grow := func(input runtime.Object, _ storage.ResponseMeta) (runtime.Object, *uint64, error) {
		pod := input.(*example.Pod)
		pod.Annotations = large("", 3<<19).Annotations
		return pod, nil, nil
	}
	err := s.GuaranteedUpdate(t.Context(), "/pods/ns/fits", &example.Pod{}, false, nil, grow, nil)
	if !errors.Is(err, rpctypes.ErrRequestTooLarge) {
		t.Errorf("updating it to 1.5 MiB: %v", err)
	}
	if pod, err := get(t.Context(), s, "/pods/ns/fits"); err != nil || len(pod.Annotations["x"]) != 1_570_000 {
		t.Errorf("after that it is another: %v", err)
	}
}

// TestListsShareLargeObjects: a list has the very objects that the store holds.
func TestListsShareLargeObjects(t *testing.T) {
	const size = 1_000_000
	objects := 100
	if testing.Short() {
		objects = 30
	}
	codec := &countingCodec{Codec: testCodec(t)}
	s := podStore(t, openDB(t, setup{cacheBytes: DefaultCacheBytes, ephemeral: true}), codec, nil)
	for i := range objects {
		name := fmt.Sprint("large-", i)
		if err := s.Create(t.Context(), "/pods/ns/"+name, large(name, size), nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	before := codec.decodes.Load()
	for range 10 {
		var list example.PodList
		if err := s.GetList(t.Context(), "/pods/", storage.ListOptions{Predicate: storage.Everything, Recursive: true}, &list); err != nil {
			t.Fatal(err)
		}
		if len(list.Items) != objects {
			t.Fatalf("%d items, want %d", len(list.Items), objects)
		}
	}
	if n := codec.decodes.Load() - before; n > 0 {
		t.Errorf("ten lists of %d objects have decoded %d", objects, n)
	}
}

// TestWhatObserversHoldIsNotDecodedAgain: however many large objects there are, and also
// after a restart.
func TestWhatObserversHoldIsNotDecodedAgain(t *testing.T) {
	const size = 200_000
	objects := 400
	if testing.Short() {
		objects = 300 // more than the cache would hold by itself
	}
	codec := &countingCodec{Codec: testCodec(t)}
	open := func(path string) *Store {
		db, err := Open(Config{Path: path, Now: newClock().now, Ephemeral: true, Retained: func(schema.GroupResource) bool { return true }})
		if err != nil {
			t.Fatal(err)
		}
		return podStore(t, db, codec, nil)
	}
	expectNoDecode := func(when string, s *Store) {
		before := codec.decodes.Load()
		if list, err := listPods(t.Context(), s, "/pods/", 0); err != nil || len(list.Items) != objects {
			t.Fatalf("%s: %d items, %v", when, len(list.Items), err)
		}
		if n := codec.decodes.Load() - before; n > 0 {
			t.Errorf("%s a list of %d objects has decoded %d", when, objects, n)
		}
	}
	path := filepath.Join(t.TempDir(), "kubesim.db")
	s := open(path)
	for i := range objects {
		name := fmt.Sprint("large-", i)
		if err := s.Create(t.Context(), "/pods/ns/"+name, large(name, size), nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	expectNoDecode("when all are new", s)
	closeDB(t, s.db)
	s = open(path)
	defer closeDB(t, s.db)
	if err := s.db.Replay(s.db.Revision(), func(Commit) error { return nil }); err != nil {
		t.Fatal(err)
	}
	expectNoDecode("after a restart", s)
}
