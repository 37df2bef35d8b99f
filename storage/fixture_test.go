package storage

import (
	"context"
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/apitesting"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apiserver/pkg/apis/example"
	examplev1 "k8s.io/apiserver/pkg/apis/example/v1"
	st "k8s.io/apiserver/pkg/storage/testing"
	"k8s.io/apiserver/pkg/storage/value"
)

// fixture is a store of Pods as upstream's suites want it.
type fixture struct {
	*Store
	failing *failingCodec
	bumps   *Store // writes there move the revision and nothing else
	n       atomic.Int64
}

// setup is how a fixture is made.
type setup struct {
	transformer value.Transformer
	now         func() time.Time
	ephemeral   bool
	path        string
	cacheBytes  int64
}

func testCodec(t testing.TB) runtime.Codec {
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, metav1.SchemeGroupVersion)
	if err := errors.Join(example.AddToScheme(scheme), examplev1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	return apitesting.TestCodec(serializer.NewCodecFactory(scheme), examplev1.SchemeGroupVersion)
}

// clock is virtual time that moves only when told. It may be read at any time.
type clock struct{ ns atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.ns.Store(time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.ns.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.ns.Add(int64(d)) }

func openDB(t testing.TB, s setup) *DB {
	t.Helper()
	if s.now == nil {
		s.now = newClock().now
	}
	if s.path == "" {
		s.path = filepath.Join(t.TempDir(), "kubesim.db")
	}
	db, err := Open(Config{Path: s.path, Now: s.now, Ephemeral: s.ephemeral, CacheBytes: s.cacheBytes})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeDB(t, db) })
	return db
}

func closeDB(t testing.TB, db *DB) {
	t.Helper()
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

func podConfig(codec runtime.Codec) ResourceConfig {
	return ResourceConfig{
		GroupResource:  schema.GroupResource{Resource: "pods"},
		Codec:          codec,
		NewFunc:        func() runtime.Object { return &example.Pod{} },
		NewListFunc:    func() runtime.Object { return &example.PodList{} },
		ResourcePrefix: "/pods/",
	}
}

// podStore registers Pods with db.
func podStore(t testing.TB, db *DB, codec runtime.Codec, transformer value.Transformer) *Store {
	t.Helper()
	rc := podConfig(codec)
	rc.Transformer = transformer
	s, err := db.Resource(rc)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// podStoreOrNil is podStore for a file that may be damaged.
func podStoreOrNil(t testing.TB, db *DB) *Store {
	t.Helper()
	s, err := db.Resource(podConfig(testCodec(t)))
	if errors.Is(err, ErrCorrupt) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newFixture(t testing.TB, s setup) *fixture {
	t.Helper()
	codec := &failingCodec{Codec: testCodec(t)}
	db := openDB(t, s)
	bumps, err := db.Resource(ResourceConfig{
		GroupResource:  schema.GroupResource{Resource: "bumps"},
		Codec:          testCodec(t),
		NewFunc:        func() runtime.Object { return &example.Pod{} },
		ResourcePrefix: "/bumps",
	})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{Store: podStore(t, db, codec, s.transformer), failing: codec, bumps: bumps}
	t.Cleanup(func() {
		if err := db.Check(context.Background()); err != nil && !t.Skipped() {
			t.Errorf("after the test: %v", err)
		}
	})
	return f
}

// bump moves the revision by one.
func (f *fixture) bump(ctx context.Context, t *testing.T) int64 {
	key := "/bumps/" + strconv.FormatInt(f.n.Add(1), 10)
	out := &example.Pod{}
	if err := f.bumps.Create(ctx, key, &example.Pod{}, out, 0); err != nil {
		t.Fatal(err)
	}
	rev, err := f.versioner.ObjectResourceVersion(out)
	if err != nil {
		t.Fatal(err)
	}
	return int64(rev)
}

// validateKey checks that the stored object has neither version nor selfLink.
func (f *fixture) validateKey(_ context.Context, t *testing.T, key string) {
	r, err := f.db.pendingOrCommitted(key)
	if err != nil || r == nil {
		t.Fatalf("key %s: record %v, %v", key, r, err)
	}
	obj, err := runtime.Decode(f.codec, []byte(strings.TrimPrefix(string(r.value), testPrefix)))
	if err != nil {
		t.Fatal(err)
	}
	m, err := meta.Accessor(obj)
	if err != nil || m.GetResourceVersion() != "" || m.GetSelfLink() != "" {
		t.Errorf("stored object has resourceVersion or selfLink: %v, %v", obj, err)
	}
}

// validateCalls checks how many objects a list read. How many reads of the file
// that took means nothing here.
func (f *fixture) validateCalls(t *testing.T, _, processed uint64) {
	p := f.transformer.Load()
	if p == nil {
		return
	}
	if reads := (*p).(*st.PrefixTransformer).GetReadsAndReset(); reads != processed {
		t.Errorf("%d objects read, want %d", reads, processed)
	}
}

func newPrefixTransformer() *st.PrefixTransformer {
	return st.NewPrefixTransformer([]byte(testPrefix), false)
}

// UpdatePrefixTransformer implements st.InterfaceWithPrefixTransformer.
func (f *fixture) UpdatePrefixTransformer(m st.PrefixTransformerModifier) func() {
	orig := *f.transformer.Load()
	// Not a copy: a watch may be counting its reads in the old one.
	f.setTransformer(m(newPrefixTransformer()))
	return func() { f.setTransformer(orig) }
}

// UpdateTransformer implements st.InterfaceWithTransformerOverride.
func (f *fixture) UpdateTransformer(m st.TransformerModifier) func() {
	orig := *f.transformer.Load()
	f.setTransformer(m(orig))
	return func() { f.setTransformer(orig) }
}

// failingCodec decodes nothing while it fails.
type failingCodec struct {
	runtime.Codec
	fails atomic.Bool
}

func (c *failingCodec) Decode(data []byte, gvk *schema.GroupVersionKind, into runtime.Object) (runtime.Object, *schema.GroupVersionKind, error) {
	if c.fails.Load() {
		return nil, nil, errors.New("synthetic error")
	}
	return c.Codec.Decode(data, gvk, into)
}

// failingTransformer reads nothing while it fails.
type failingTransformer struct {
	value.Transformer
	fails atomic.Bool
}

func (c *failingTransformer) TransformFromStorage(ctx context.Context, data []byte, vc value.Context) ([]byte, bool, error) {
	if c.fails.Load() {
		return nil, false, errors.New("synthetic error")
	}
	return c.Transformer.TransformFromStorage(ctx, data, vc)
}

// every calls f at short intervals of wall time until the test ends, for those
// of upstream's suites that wait for real time to pass.
func every(t testing.TB, f func()) {
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
				f()
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-done })
}
