package etcd

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	k8sstorage "k8s.io/apiserver/pkg/storage"
	etcd3testing "k8s.io/apiserver/pkg/storage/etcd3/testing"

	"github.com/kubesim-dev/kubesim/storage"
)

// backend is an etcd for one test, in its process.
type backend struct {
	servers []string
	client  *clientv3.Client
}

func newBackend(t *testing.T) *backend {
	t.Helper()
	server, config := etcd3testing.NewUnsecuredEtcd3TestClientServer(t)
	t.Cleanup(func() { server.Terminate(t) })
	return &backend{servers: config.Transport.ServerList, client: server.V3Client.Client}
}

// configMaps is a server's store of ConfigMaps.
type configMaps struct {
	k8sstorage.Interface
	db *DB
}

// open opens what one more server sees of the cluster.
func (b *backend) open(t *testing.T, onFatal func(error)) configMaps {
	t.Helper()
	c, _ := openConfigMaps(t, b.connect(t, onFatal))
	return c
}

// connect opens one more server's DB, without any resource.
func (b *backend) connect(t *testing.T, onFatal func(error)) *DB {
	t.Helper()
	db, err := Open(t.Context(), Config{Servers: b.servers, Prefix: "/registry", OnFatal: onFatal})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func openConfigMaps(t *testing.T, db *DB) (c configMaps, destroy func()) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	codecs := serializer.NewCodecFactory(scheme)
	info, _ := runtime.SerializerInfoForMediaType(codecs.SupportedMediaTypes(), runtime.ContentTypeJSON)
	store, destroy, err := db.Resource(ResourceConfig{
		GroupResource: schema.GroupResource{Resource: "configmaps"}, Prefix: "/configmaps",
		Codec:   codecs.CodecForVersions(info.Serializer, info.Serializer, corev1.SchemeGroupVersion, corev1.SchemeGroupVersion),
		NewFunc: func() runtime.Object { return &corev1.ConfigMap{} }, NewListFunc: func() runtime.Object { return &corev1.ConfigMapList{} },
		KeyFunc: func(obj runtime.Object) (string, error) { return keyOf(obj.(*corev1.ConfigMap).Name), nil },
		AttrFunc: func(obj runtime.Object) (labels.Set, fields.Set, error) {
			return nil, fields.Set{"metadata.name": obj.(*corev1.ConfigMap).Name}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return configMaps{store, db}, destroy
}

func keyOf(name string) string { return "/configmaps/default/" + name }

func (c configMaps) create(t *testing.T, name string) {
	t.Helper()
	obj := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"}}
	if err := c.Create(t.Context(), keyOf(name), obj, &corev1.ConfigMap{}, 0); err != nil {
		t.Fatal(err)
	}
}

func (c configMaps) touch(t *testing.T, name, value string) {
	t.Helper()
	err := c.GuaranteedUpdate(t.Context(), keyOf(name), &corev1.ConfigMap{}, false, nil,
		k8sstorage.SimpleUpdate(func(obj runtime.Object) (runtime.Object, error) {
			obj.(*corev1.ConfigMap).Data = map[string]string{"value": value}
			return obj, nil
		}), nil)
	if err != nil {
		t.Fatal(err)
	}
}

func (c configMaps) delete(t *testing.T, name string) {
	t.Helper()
	err := c.Delete(t.Context(), keyOf(name), &corev1.ConfigMap{}, nil, k8sstorage.ValidateAllObjectFunc, nil, k8sstorage.DeleteOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// record is what an observer has seen, a line a commit.
type record struct {
	mu    sync.Mutex
	lines []string
	last  int64
	wrong []string
}

func (r *record) observe(c storage.Commit, replayed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := c.Object.(*corev1.ConfigMap)
	line := fmt.Sprintf("%s %s%s", c.Type, m.Name, m.Data["value"])
	if replayed {
		line = "replayed " + line
	}
	r.lines = append(r.lines, line)
	if c.Revision <= r.last || m.ResourceVersion != strconv.FormatInt(c.Revision, 10) {
		r.wrong = append(r.wrong, fmt.Sprintf("%s: revision %d, resourceVersion %s, after revision %d", line, c.Revision, m.ResourceVersion, r.last))
	}
	r.last = c.Revision
}

// want fails unless exactly these lines have been seen, in order.
func (r *record) want(t *testing.T, lines ...string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.lines, lines) {
		t.Errorf("the observer has seen\n%q\nwant\n%q", r.lines, lines)
	}
	if len(r.wrong) > 0 {
		t.Errorf("out of order: %q", r.wrong)
	}
}

func (c configMaps) observe(t *testing.T) *record {
	t.Helper()
	r := &record{}
	if _, err := c.db.Observe(t.Context(), r.observe); err != nil {
		t.Fatal(err)
	}
	return r
}

func noFatal(t *testing.T) func(error) { return func(err error) { t.Errorf("fatal: %v", err) } }

// TestAWriteIsSeenWhenItReturns is what the engine relies on: no step misses
// what the one before has written.
func TestAWriteIsSeenWhenItReturns(t *testing.T) {
	c := newBackend(t).open(t, noFatal(t))
	seen := c.observe(t)
	c.create(t, "a")
	seen.want(t, "ADDED a")
	c.touch(t, "a", "1")
	seen.want(t, "ADDED a", "MODIFIED a1")
	c.touch(t, "a", "1") // changes nothing
	seen.want(t, "ADDED a", "MODIFIED a1")
	c.delete(t, "a")
	seen.want(t, "ADDED a", "MODIFIED a1", "DELETED a1")
}

// TestALateObserverMissesNothing lets one come while others write: what it is
// told first and what it sees afterwards are together every change, each once.
func TestALateObserverMissesNothing(t *testing.T) {
	b := newBackend(t)
	one, other := b.open(t, noFatal(t)), b.open(t, noFatal(t))
	early := one.observe(t)
	other.create(t, "gone")
	other.delete(t, "gone")
	const each = 100
	var writing sync.WaitGroup
	for i, c := range []configMaps{one, other} {
		writing.Go(func() {
			for n := range each {
				c.create(t, fmt.Sprintf("%d-%d", i, n))
			}
		})
	}
	var late []*record
	for range 5 {
		late = append(late, one.observe(t))
	}
	writing.Wait()
	one.create(t, "last") // when this is seen, all of it is
	early.mu.Lock()
	defer early.mu.Unlock()
	if want := 2 + 2*each + 1; len(early.lines) != want || len(early.wrong) > 0 {
		t.Errorf("the first observer has seen %d changes, want %d; out of order: %q", len(early.lines), want, early.wrong)
	}
	for i, r := range late {
		r.mu.Lock()
		names := map[string]bool{}
		for _, line := range r.lines {
			names[line[strings.LastIndex(line, " "):]] = true
		}
		if len(names) != 2*each+1 || len(r.lines) != len(names) || len(r.wrong) > 0 {
			t.Errorf("late observer %d has seen %d objects, want %d, each once; out of order: %q", i, len(r.lines), 2*each+1, r.wrong)
		}
		r.mu.Unlock()
	}
}

// TestWhoStoppedSeesNoMore is what a leader that has lost its lease relies on.
func TestWhoStoppedSeesNoMore(t *testing.T) {
	c := newBackend(t).open(t, noFatal(t))
	r := &record{}
	stop, err := c.db.Observe(t.Context(), r.observe)
	if err != nil {
		t.Fatal(err)
	}
	c.create(t, "a")
	stop()
	c.create(t, "b")
	r.want(t, "ADDED a")
}

// TestAReplayIsTheNewestState shows what an observer begins with.
func TestAReplayIsTheNewestState(t *testing.T) {
	b := newBackend(t)
	c := b.open(t, noFatal(t))
	c.create(t, "a")
	c.create(t, "b")
	c.touch(t, "a", "1")
	c.create(t, "c")
	c.delete(t, "c")
	// What is no object of ours is nobody's concern.
	if _, err := b.client.Put(t.Context(), "/registry/strange/x", "?"); err != nil {
		t.Fatal(err)
	}
	c.observe(t).want(t, "replayed ADDED b", "replayed ADDED a1")
}

// TestServersAgree lets many ask at the same time.
func TestServersAgree(t *testing.T) {
	b := newBackend(t)
	const servers = 8
	values, revisions := map[string]bool{}, map[int64]bool{}
	var mu sync.Mutex
	var asking sync.WaitGroup
	for i := range servers {
		c := b.open(t, noFatal(t))
		asking.Go(func() {
			value, err := c.db.Once(t.Context(), "keys", func() ([]byte, error) { return fmt.Appendf(nil, "of %d", i), nil })
			if err != nil {
				t.Error(err)
			}
			rev, err := c.db.NewRevision(t.Context())
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			values[string(value)], revisions[rev] = true, true
			mu.Unlock()
		})
	}
	asking.Wait()
	if len(values) != 1 || len(revisions) != servers {
		t.Errorf("%d servers have %d values and %d revisions, want one value and as many revisions", servers, len(values), len(revisions))
	}
}

// TestALostHistoryIsFatal cuts a server off from a history that is gone
// meanwhile: it must not go on as if nothing had happened.
func TestALostHistoryIsFatal(t *testing.T) {
	b := newBackend(t)
	fatal := make(chan error, 1)
	c := b.open(t, func(err error) { fatal <- err })
	c.create(t, "a")
	c.touch(t, "a", "1")
	current, err := b.client.Get(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.client.Compact(t.Context(), current.Header.Revision, clientv3.WithCompactPhysical()); err != nil {
		t.Fatal(err)
	}
	c.db.mu.Lock()
	c.db.follow(current.Header.Revision - 1)
	c.db.mu.Unlock()
	select {
	case err := <-fatal:
		t.Log(err)
	case <-time.After(time.Minute):
		t.Error("the server goes on without the history that it missed")
	}
}

// TestCloseEndsWaiting: a write whose server stops does not wait forever.
func TestCloseEndsWaiting(t *testing.T) {
	c := newBackend(t).open(t, noFatal(t))
	c.observe(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.db.await(context.Background(), 1<<40)
	}()
	c.db.mu.Lock()
	stop := c.db.stop
	c.db.mu.Unlock()
	stop()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Error("await goes on after the end")
	}
}

// TestAResourceComesAndGoes: observers are told of what it holds when it is recalled, of its
// changes once, and of nothing when it is closed, until it is opened again.
func TestAResourceComesAndGoes(t *testing.T) {
	b := newBackend(t)
	other := b.open(t, noFatal(t))
	other.create(t, "a")
	db := b.connect(t, noFatal(t))
	seen := configMaps{nil, db}.observe(t)
	seen.want(t)
	late, destroy := openConfigMaps(t, db)
	recall := func() {
		t.Helper()
		if err := db.Recall(t.Context(), schema.GroupResource{Resource: "configmaps"}); err != nil {
			t.Fatal(err)
		}
	}
	recall()
	recall() // they know
	seen.want(t, "replayed ADDED a")
	late.touch(t, "a", "1")
	seen.want(t, "replayed ADDED a", "MODIFIED a1")
	destroy()
	other.touch(t, "a", "2")
	rev, err := db.NewRevision(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	db.await(t.Context(), rev)
	seen.want(t, "replayed ADDED a", "MODIFIED a1")
	openConfigMaps(t, db)
	recall()
	seen.want(t, "replayed ADDED a", "MODIFIED a1", "replayed ADDED a2")
	db.mu.Lock()
	defer db.mu.Unlock()
	if len(db.resources) != 1 || db.resources[0].opens != 1 {
		t.Errorf("%d resources are open, want the one that was opened again", len(db.resources))
	}
}
