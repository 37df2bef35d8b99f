package storage

import (
	"context"
	"fmt"
	"math/rand"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.etcd.io/etcd/client/v3/kubernetes"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/apis/example"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/cacher"
	"k8s.io/apiserver/pkg/storage/cacher/consistency"
	etcdfeature "k8s.io/apiserver/pkg/storage/feature"
	st "k8s.io/apiserver/pkg/storage/testing"
	clientfeatures "k8s.io/client-go/features"
	clientfeaturestesting "k8s.io/client-go/features/testing"
	toolscache "k8s.io/client-go/tools/cache"
	wallclock "k8s.io/utils/clock"
)

// behindWatchCache puts upstream's watch cache in front of f, as upstream's own
// tests put it in front of etcd3 (testSetupWithEtcdServer in
// k8s.io/apiserver/pkg/storage/cacher).
func behindWatchCache(t *testing.T, f *fixture, clusterScoped bool) *subject {
	lists := st.NewKubernetesRecorder(noEtcd{})
	_, delegator := newWatchCache(t, f, listRecorder{f.Store, lists}, clusterScoped)
	return &subject{Interface: delegator, fixture: f, lists: lists}
}

func newWatchCache(t *testing.T, f *fixture, under storage.Interface, clusterScoped bool) (*cacher.Cacher, *cacher.CacheDelegator) {
	t.Helper()
	keyFunc := storage.NamespaceKeyFunc
	if clusterScoped {
		keyFunc = storage.NoNamespaceKeyFunc
	}
	c, err := cacher.NewCacherFromConfig(cacher.Config{
		Storage:             under,
		Versioner:           f.versioner,
		GroupResource:       f.resource,
		EventsHistoryWindow: cacher.DefaultEventFreshDuration,
		ResourcePrefix:      f.prefix,
		KeyFunc:             func(obj runtime.Object) (string, error) { return keyFunc(f.prefix, obj) },
		GetAttrsFunc:        podAttrs,
		// The indexes of Pods, from pkg/registry/core/pod in k8s.io/kubernetes.
		IndexerFuncs: storage.IndexerFuncs{"spec.nodeName": func(obj runtime.Object) string {
			return obj.(*example.Pod).Spec.NodeName
		}},
		Indexers: &toolscache.Indexers{
			"f:spec.nodeName":      func(obj any) ([]string, error) { return []string{obj.(*example.Pod).Spec.NodeName}, nil },
			"f:metadata.namespace": func(obj any) ([]string, error) { return []string{obj.(*example.Pod).Namespace}, nil },
		},
		NewFunc:     f.newFunc,
		NewListFunc: f.newListFunc,
		Codec:       f.codec,
		Clock:       hurriedClock{},
	})
	if err != nil {
		t.Fatal(err)
	}
	d := cacher.NewCacheDelegator(c, under)
	t.Cleanup(func() {
		d.Stop()
		c.Stop()
	})
	// Until it is ready the cache refuses watches, which no suite expects.
	if err := c.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c, d
}

func podAttrs(obj runtime.Object) (labels.Set, fields.Set, error) {
	pod := obj.(*example.Pod)
	return pod.Labels, generic.AddObjectMetaFieldsSet(fields.Set{
		"spec.nodeName":      pod.Spec.NodeName,
		"spec.restartPolicy": string(pod.Spec.RestartPolicy),
		"status.phase":       string(pod.Status.Phase),
	}, &pod.ObjectMeta, true), nil
}

// TestWatchCacheAgreesWithStore lets clients race and compares the watch cache
// with the store by upstream's own checker, once for each way in which a cache
// gets its first state.
func TestWatchCacheAgreesWithStore(t *testing.T) {
	serveConsistentReads(t)
	for name, streamed := range map[string]bool{"begun with a watch": true, "begun with a list that first failed": false} {
		t.Run(name, func(t *testing.T) {
			clientfeaturestesting.SetFeatureDuringTest(t, clientfeatures.WatchListClient, streamed)
			f := newFixture(t, setup{ephemeral: true})
			writeAtRandom(t, f.Store, 1)
			under := &st.StorageInjectingListErrors{Interface: f.Store}
			if !streamed {
				under.Errors = 1
			}
			c, d := newWatchCache(t, f, under, false)
			var clients sync.WaitGroup
			for seed := range 4 {
				clients.Go(func() { writeAtRandom(t, d, int64(seed)) })
			}
			clients.Wait()
			// A consistent read, after which the cache is as new as the store.
			if err := d.GetList(t.Context(), f.prefix, storage.ListOptions{Recursive: true, Predicate: storage.Everything}, &example.PodList{}); err != nil {
				t.Fatal(err)
			}
			digest, err := consistency.NewChecker(f.prefix, f.resource, f.newListFunc, c, f.Store).CalculateDigests(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if want := strconv.FormatInt(f.db.Revision(), 10); digest.ResourceVersion != want || digest.CacheDigest != digest.EtcdDigest {
				t.Errorf("the watch cache is at revision %s, want %s; first difference from the store: %+v", digest.ResourceVersion, want, digest.DiffDetail)
			}
		})
	}
}

// writeAtRandom creates, updates and deletes a few Pods, which other clients may
// do at the same time.
func writeAtRandom(t *testing.T, s storage.Interface, seed int64) {
	random := rand.New(rand.NewSource(seed))
	for i := range 300 {
		p := pod(fmt.Sprintf("/pods/ns/p%d", random.Intn(20)))
		key := "/pods/ns/" + p.Name
		var err error
		switch random.Intn(3) {
		case 0:
			err = s.Create(t.Context(), key, p, &example.Pod{}, 0)
		case 1:
			err = s.Delete(t.Context(), key, &example.Pod{}, nil, storage.ValidateAllObjectFunc, nil, storage.DeleteOptions{})
		case 2:
			err = s.GuaranteedUpdate(t.Context(), key, &example.Pod{}, false, nil, storage.SimpleUpdate(func(obj runtime.Object) (runtime.Object, error) {
				obj.(*example.Pod).Spec.NodeName = fmt.Sprintf("n%d-%d", seed, i)
				return obj, nil
			}), nil)
		}
		if err != nil && !storage.IsExist(err) && !storage.IsNotFound(err) {
			t.Error(err)
		}
	}
}

// compact compacts and, as upstream's compactor does in etcd, takes a revision.
// It returns when a watch cache knows of it too.
func (s *subject) compact(ctx context.Context, t *testing.T, resourceVersion string) {
	t.Helper()
	rev, err := s.versioner.ParseResourceVersion(resourceVersion)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.db.Compact(ctx, int64(rev)); err != nil {
		t.Fatal(err)
	}
	s.bump(ctx, t)
	known := func(context.Context) (bool, error) { return s.CompactRevision() == int64(rev), nil }
	if err := wait.PollUntilContextTimeout(ctx, time.Millisecond, wait.ForeverTestTimeout, true, known); err != nil {
		t.Fatalf("compacted at %d, but the compacted revision is %d: %v", rev, s.CompactRevision(), err)
	}
}

// forget compacts so that no watch can begin earlier. A watch cache keeps its
// history for more than a minute, whatever the store does; a new one has none.
func (s *subject) forget(ctx context.Context, t *testing.T, resourceVersion string) {
	t.Helper()
	s.compact(ctx, t, resourceVersion)
	if s.cached() {
		s.sized.Store(false) // which the new one asks for again
		_, s.Interface = newWatchCache(t, s.fixture, s.Store, false)
	}
}

// listRecorder records the lists that a watch cache leaves to the store under it,
// in the words in which upstream's suite expects to see them at etcd.
type listRecorder struct {
	storage.Interface
	lists *st.KubernetesRecorder
}

func (r listRecorder) GetList(ctx context.Context, key string, opts storage.ListOptions, listObj runtime.Object) error {
	rev, from, err := storage.ValidateListOptions(key, r.Versioner(), opts)
	if err != nil {
		return err
	}
	list := kubernetes.ListOptions{Revision: rev, Limit: opts.Predicate.Limit}
	if from != "" {
		list.Continue = "/registry" + from
	}
	if _, err := r.lists.List(ctx, "/registry"+key, list); err != nil {
		return err
	}
	return r.Interface.GetList(ctx, key, opts, listObj)
}

// noEtcd is what the recorder would pass lists on to.
type noEtcd struct{ kubernetes.Interface }

func (noEtcd) List(context.Context, string, kubernetes.ListOptions) (kubernetes.ListResponse, error) {
	return kubernetes.ListResponse{}, nil
}

// waitingCreate is a store whose Create returns when a Get from the watch cache
// shows the object.
type waitingCreate struct{ storage.Interface }

func (s waitingCreate) Create(ctx context.Context, key string, obj, out runtime.Object, ttl uint64) error {
	if err := s.Interface.Create(ctx, key, obj, out, ttl); err != nil {
		return err
	}
	return s.Get(ctx, key, storage.GetOptions{ResourceVersion: out.(*example.Pod).ResourceVersion}, &example.Pod{})
}

// serveConsistentReads lets watch caches answer consistent reads, which they do
// only over an etcd whose release is known to report progress.
func serveConsistentReads(t *testing.T) {
	before := etcdfeature.DefaultFeatureSupportChecker
	etcdfeature.DefaultFeatureSupportChecker = reportsProgress{before}
	t.Cleanup(func() { etcdfeature.DefaultFeatureSupportChecker = before })
}

type reportsProgress struct {
	etcdfeature.FeatureSupportChecker
}

func (reportsProgress) Supports(storage.Feature) bool { return true }

// hurriedClock is the wall clock, but what should happen in some seconds, such
// as the watch cache's look at the compacted revision, happens soon.
type hurriedClock struct{ wallclock.RealClock }

func (c hurriedClock) NewTimer(d time.Duration) wallclock.Timer {
	return hurriedTimer{c.RealClock.NewTimer(hurry(d))}
}

type hurriedTimer struct{ wallclock.Timer }

func (t hurriedTimer) Reset(d time.Duration) bool { return t.Timer.Reset(hurry(d)) }

func hurry(d time.Duration) time.Duration { return min(d, 10*time.Millisecond) }
