package etcd

import (
	"context"
	"errors"
	"math"
	"path"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/registry/generic"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	k8sstorage "k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/etcd3"
	"k8s.io/apiserver/pkg/storage/storagebackend/factory"
	"k8s.io/client-go/tools/cache"
)

// ResourceConfig describes one resource. The fields are those of upstream's
// generic.StorageDecorator.
type ResourceConfig struct {
	GroupResource schema.GroupResource
	// Prefix is the resource's folder below Config.Prefix, for example
	// "/batch/jobs".
	Prefix               string
	Codec                runtime.Codec
	NewFunc, NewListFunc func() runtime.Object
	KeyFunc              func(runtime.Object) (string, error)
	AttrFunc             k8sstorage.AttrFunc
	Triggers             k8sstorage.IndexerFuncs
	Indexers             *cache.Indexers
	// Uncached resources are read from etcd each time. These are resources that are
	// often written and rarely read, as Events are upstream.
	Uncached bool
}

// resource is what an observer needs to know to read a key.
type resource struct {
	name    schema.GroupResource
	root    string // of its keys, with slashes at both ends
	newFunc func() runtime.Object
	decoder etcd3.Decoder
	// since says from which revision on an observer wants the resource's commits, if
	// it was there before the resource.
	since map[*observer]int64
	// opens counts the users that have opened it and not destroyed it.
	opens int
}

// Resource opens upstream's store of one resource. Observers that are there already
// hear nothing of it before Recall, and nobody does after it is destroyed.
func (db *DB) Resource(cfg ResourceConfig) (k8sstorage.Interface, factory.DestroyFunc, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	decorate := genericregistry.StorageWithCacher()
	if cfg.Uncached {
		decorate = generic.UndecoratedStorage
	}
	config := db.backendConfig()
	config.Codec = cfg.Codec
	inner, destroy, err := decorate(config.ForResource(cfg.GroupResource), cfg.Prefix, cfg.KeyFunc,
		cfg.NewFunc, cfg.NewListFunc, cfg.AttrFunc, cfg.Triggers, cfg.Indexers)
	if err != nil {
		return nil, nil, err
	}
	db.destroy = append(db.destroy, destroy)
	root := path.Join(db.root, cfg.Prefix) + "/"
	db.open(&resource{
		name: cfg.GroupResource, root: root, newFunc: cfg.NewFunc, decoder: etcd3.NewDefaultDecoder(cfg.Codec, inner.Versioner()),
		since: map[*observer]int64{}, opens: 1,
	})
	return &observed{Interface: inner, db: db}, sync.OnceFunc(func() {
		db.shut(root)
		destroy()
	}), nil
}

// open makes r a resource that observers are told of. Events of both groups are in one
// folder. Needs mu.
func (db *DB) open(r *resource) {
	if twice := db.find(r.root); twice != nil {
		twice.opens++
		return
	}
	for _, o := range db.observers {
		r.since[o] = math.MaxInt64
	}
	db.resources = append(db.resources, r)
}

// Recall tells those who observed before the resource was opened what it holds, as
// replayed Added commits; from then on they see its commits too.
func (db *DB) Recall(ctx context.Context, gr schema.GroupResource) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	i := slices.IndexFunc(db.resources, func(r *resource) bool { return r.name == gr })
	if i < 0 {
		return errors.New("etcd: resource " + gr.String() + " is not open")
	}
	r := db.resources[i]
	kvs, rev, err := db.list(ctx, r.root)
	if err != nil {
		return err
	}
	for _, o := range db.observers {
		if r.since[o] != math.MaxInt64 {
			continue
		}
		if err := db.replay(kvs, o.f); err != nil {
			return err
		}
		r.since[o] = rev + 1
	}
	return nil
}

// shut ends one open.
func (db *DB) shut(root string) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if r := db.find(root); r != nil {
		r.opens--
	}
	db.resources = slices.DeleteFunc(db.resources, func(r *resource) bool { return r.opens == 0 })
}

// find returns the resource that key belongs to, or nil.
func (db *DB) find(key string) *resource {
	for _, r := range db.resources {
		if strings.HasPrefix(key, r.root) {
			return r
		}
	}
	return nil
}

// observed is upstream's store. A write to it returns when this server's observers have
// seen it. So a client's second request meets caches that know of the first, and each
// step of the engine sees what the previous one wrote.
type observed struct {
	k8sstorage.Interface
	db *DB
}

// Create implements storage.Interface.
func (o *observed) Create(ctx context.Context, key string, obj, out runtime.Object, ttl uint64) error {
	if err := o.Interface.Create(ctx, key, obj, out, ttl); err != nil {
		return err
	}
	o.await(ctx, out)
	return nil
}

// Delete implements storage.Interface.
func (o *observed) Delete(ctx context.Context, key string, out runtime.Object, preconditions *k8sstorage.Preconditions,
	validate k8sstorage.ValidateObjectFunc, cached runtime.Object, opts k8sstorage.DeleteOptions) error {
	if err := o.Interface.Delete(ctx, key, out, preconditions, validate, cached, opts); err != nil {
		return err
	}
	o.await(ctx, out)
	return nil
}

// GuaranteedUpdate implements storage.Interface.
func (o *observed) GuaranteedUpdate(ctx context.Context, key string, out runtime.Object, ignoreNotFound bool,
	preconditions *k8sstorage.Preconditions, tryUpdate k8sstorage.UpdateFunc, cached runtime.Object) error {
	if err := o.Interface.GuaranteedUpdate(ctx, key, out, ignoreNotFound, preconditions, tryUpdate, cached); err != nil {
		return err
	}
	o.await(ctx, out)
	return nil
}

// await waits for the revision that a write has put on out. Whatever happens in the
// meantime, the write has been made: there is no error to return.
func (o *observed) await(ctx context.Context, out runtime.Object) {
	if rev, err := o.Versioner().ObjectResourceVersion(out); err == nil {
		o.db.await(ctx, int64(rev))
	}
}
