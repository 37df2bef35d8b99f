package storage

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"

	"go.etcd.io/bbolt"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/features"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/value"
	utilfeature "k8s.io/apiserver/pkg/util/feature"

	"github.com/kubesim-dev/kubesim/storage/shape"
)

// ResourceConfig describes one resource to the DB.
type ResourceConfig struct {
	GroupResource schema.GroupResource
	// Codec encodes to the storage version and decodes to the internal one.
	Codec runtime.Codec
	// NewFunc and NewListFunc return an empty object and list.
	NewFunc, NewListFunc func() runtime.Object
	// ResourcePrefix begins every key of the resource: "/pods".
	ResourcePrefix string
	// Protobuf says that Codec encodes in protobuf, for which it is known what becomes
	// of an object that is encoded and decoded; see CreateKept.
	Protobuf bool
	// Bulky says that objects are many times as large as their encodings, and seldom
	// read: few of them stay decoded.
	Bulky bool
	// Transformer, if set, is applied to stored bytes. Objects of a resource that has
	// one are not cached. If it is nil, the bytes are stored as they are.
	Transformer value.Transformer
}

func (rc ResourceConfig) validate() error {
	var errs []error
	if rc.Codec == nil || rc.NewFunc == nil {
		errs = append(errs, fmt.Errorf("storage: resource %s: want a Codec and a NewFunc", rc.GroupResource))
	}
	if !strings.HasPrefix(rc.ResourcePrefix, "/") || rc.ResourcePrefix == "/" {
		errs = append(errs, fmt.Errorf("storage: resource %s: prefix %q: want \"/\" and a name", rc.GroupResource, rc.ResourcePrefix))
	}
	return errors.Join(errs...)
}

// Store is one resource of a DB. It implements storage.Interface.
type Store struct {
	db          *DB
	resource    schema.GroupResource
	codec       runtime.Codec
	newFunc     func() runtime.Object
	newListFunc func() runtime.Object
	prefix      string
	bulky       bool
	versioner   storage.APIObjectVersioner
	shelf
	// opens counts the users that have opened the store and not closed it; db.mu guards
	// it. end is closed when the last of them closes the store.
	opens int
	end   chan struct{}
	sized atomic.Bool
	// unsafeDelete says that corrupt objects are reported so that they can be deleted
	// (feature AllowUnsafeMalformedObjectDeletion).
	unsafeDelete bool
	// shape is the shape of type typ. It is nil if the store cannot keep objects as
	// they are given.
	shape *shape.Shape
	typ   reflect.Type
	// transformer holds nil for a resource that stores objects as encoded.
	transformer atomic.Pointer[value.Transformer]
}

var _ storage.Interface = (*Store)(nil)

// shelf is what the stores of one prefix share, including closed ones. What a committer
// still writes is counted, and watchers are told of it, whichever store it belonged to.
type shelf struct {
	hub    *hub
	counts *counts
}

// Resource returns the store of a resource. A second call for the same prefix and
// resource returns the same store: upstream's registry sets up events twice. It may be
// called at any time. Observers are not told what the resource already holds; see
// Recall.
func (db *DB) Resource(rc ResourceConfig) (*Store, error) {
	if err := rc.validate(); err != nil {
		return nil, err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	i, found := slices.BinarySearchFunc(db.stores, rc.ResourcePrefix, func(s *Store, p string) int {
		return strings.Compare(s.prefix, p)
	})
	if found {
		if s := db.stores[i]; s.resource == rc.GroupResource {
			s.opens++
			return s, nil
		}
		return nil, fmt.Errorf("storage: prefix %s belongs to %s: want another one for %s",
			rc.ResourcePrefix, db.stores[i].resource, rc.GroupResource)
	}
	s := &Store{
		db:           db,
		resource:     rc.GroupResource,
		codec:        rc.Codec,
		newFunc:      rc.NewFunc,
		newListFunc:  rc.NewListFunc,
		prefix:       rc.ResourcePrefix,
		bulky:        rc.Bulky,
		opens:        1,
		end:          make(chan struct{}),
		unsafeDelete: utilfeature.DefaultFeatureGate.Enabled(features.AllowUnsafeMalformedObjectDeletion),
	}
	if rc.Protobuf {
		s.typ = reflect.TypeOf(rc.NewFunc())
		s.shape = shape.Of(s.typ)
	}
	if rc.Transformer != nil {
		s.setTransformer(s.reportCorrupt(rc.Transformer))
	}
	if err := s.take(); err != nil {
		return nil, explain(db.cfg.Path, err)
	}
	db.stores = slices.Insert(db.stores, i, s)
	return s, nil
}

// take gives s the shelf of its prefix. Needs db.mu.
func (s *Store) take() error {
	old, ok := s.db.shelves[s.prefix]
	if ok {
		s.shelf = old
		return nil
	}
	s.shelf = shelf{newHub(s.db.rev), &counts{}}
	if err := s.db.view(func(tx *bbolt.Tx) error { return s.counts.load(tx, s) }); err != nil {
		return err
	}
	s.db.shelves[s.prefix] = s.shelf
	return nil
}

// Close ends what one call of Resource has opened. After the last Close, the resource
// takes no more writes and its watches end. It can be opened again, with another codec.
// Its objects stay in the file.
func (s *Store) Close() {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	if s.opens--; s.opens != 0 {
		return
	}
	close(s.end)
	s.db.stores = slices.DeleteFunc(s.db.stores, func(other *Store) bool { return other == s })
}

func (s *Store) closed() bool {
	select {
	case <-s.end:
		return true
	default:
		return false
	}
}

func (s *Store) setTransformer(t value.Transformer) { s.transformer.Store(&t) }

// root begins every key of the resource that a recursive list returns.
func (s *Store) root() string { return strings.TrimSuffix(s.prefix, "/") + "/" }

// holds reports whether key begins with root.
func (s *Store) holds(key string) bool {
	rest, ok := strings.CutPrefix(key, strings.TrimSuffix(s.prefix, "/"))
	return ok && strings.HasPrefix(rest, "/")
}

// storeOf returns the resource with the longest prefix of key, or nil.
func (db *DB) storeOf(key string) *Store {
	db.mu.Lock()
	defer db.mu.Unlock()
	var best *Store
	for _, s := range db.stores {
		if s.holds(key) && (best == nil || len(best.prefix) < len(s.prefix)) {
			best = s
		}
	}
	return best
}

// plain reports whether stored bytes are the encoded objects as they are.
func (s *Store) plain() bool { return s.transformer.Load() == nil }

// Versioner implements storage.Interface.
func (s *Store) Versioner() storage.Versioner { return s.versioner }

// ReadinessCheck implements storage.Interface. It returns an error once a commit has
// failed.
func (s *Store) ReadinessCheck() error { return s.db.Err() }

// GetCurrentResourceVersion implements storage.Interface.
func (s *Store) GetCurrentResourceVersion(ctx context.Context) (uint64, error) {
	return uint64(s.db.seen(ctx)), nil
}

// CompactRevision implements storage.Interface.
func (s *Store) CompactRevision() int64 { return s.db.compacted.Load() }

// prepareKey checks key as upstream does. A key must not contain 0x00, which
// ends a key in the index.
func (s *Store) prepareKey(key string, recursive bool) (string, error) {
	if strings.ContainsRune(key, 0) {
		return "", fmt.Errorf("invalid key: %q contains 0x00", key)
	}
	return storage.PrepareKey(s.prefix, key, recursive)
}

// withoutWaitKey marks a context; see WithoutWait.
type withoutWaitKey struct{}

// WithoutWait marks the writes of the engine. A write with this context returns when
// its revision is assigned, before it is durable. A read with it sees such writes. The
// engine's own writes are repeatable, so losing them costs nothing.
//
// The result of a GuaranteedUpdate with this context belongs to the store from then on:
// nobody may change it.
func WithoutWait(ctx context.Context) context.Context {
	return context.WithValue(ctx, withoutWaitKey{}, true)
}

// IsWithoutWait reports whether ctx is one of WithoutWait.
func IsWithoutWait(ctx context.Context) bool { return ctx.Value(withoutWaitKey{}) != nil }

// ahead reports whether a call with ctx sees what is not committed yet, and does not
// wait for its own write. In an ephemeral store, that loses nothing.
func (db *DB) ahead(ctx context.Context) bool {
	return db.cfg.Ephemeral || ctx.Value(withoutWaitKey{}) != nil
}

// seen returns the newest revision that a call with ctx sees.
func (db *DB) seen(ctx context.Context) int64 {
	if db.ahead(ctx) {
		return db.Revision()
	}
	return db.committed.Load()
}

// visible returns the newest revision that everybody sees.
func (db *DB) visible() int64 { return db.seen(context.Background()) }
