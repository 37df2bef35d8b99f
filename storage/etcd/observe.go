package etcd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/storage"
)

// observer is one function that receives commits.
type observer struct {
	f func(c storage.Commit, replayed bool)
	// from is the revision of the list with which it began: it knows what came before.
	from int64
}

// Observe calls f with every object as a replayed Added commit, in revision order, and
// returns. From then on f sees each commit as it comes, until stop is called. f is
// never called concurrently, and must not call back into the DB. Commit.Previous is not
// set.
func (db *DB) Observe(ctx context.Context, f func(c storage.Commit, replayed bool)) (stop func(), err error) {
	// Nobody sees anything new before f has seen what already existed.
	db.mu.Lock()
	defer db.mu.Unlock()
	kvs, rev, err := db.list(ctx, db.root)
	if err == nil {
		err = db.replay(kvs, f)
	}
	if err != nil {
		return nil, err
	}
	o := &observer{f: f, from: rev}
	db.observers = append(db.observers, o)
	if !db.following {
		db.advance(rev)
		db.follow(rev + 1)
	}
	return func() { db.forget(o) }, nil
}

// replay tells f of existing objects.
func (db *DB) replay(kvs []*mvccpb.KeyValue, f func(c storage.Commit, replayed bool)) error {
	for _, kv := range kvs {
		commit, ok, err := db.commit(watch.Added, kv, kv.ModRevision)
		if err != nil {
			return err
		}
		if ok {
			f(commit, true)
		}
	}
	return nil
}

func (db *DB) forget(o *observer) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.observers = slices.DeleteFunc(db.observers, func(other *observer) bool { return other == o })
}

// listPage is how many keys are requested at a time.
const listPage = 1000

// list returns all keys below root as of one revision, in the order of their revisions.
func (db *DB) list(ctx context.Context, root string) (kvs []*mvccpb.KeyValue, rev int64, err error) {
	key, end := root, clientv3.GetPrefixRangeEnd(root)
	for {
		opts := []clientv3.OpOption{clientv3.WithRange(end), clientv3.WithLimit(listPage)}
		if rev != 0 {
			opts = append(opts, clientv3.WithRev(rev))
		}
		page, err := db.client.Get(ctx, key, opts...)
		if err != nil {
			return nil, 0, fmt.Errorf("etcd: list %s: %w", root, err)
		}
		if rev == 0 {
			rev = page.Header.Revision
		}
		kvs = append(kvs, page.Kvs...)
		if !page.More {
			break
		}
		key = string(kvs[len(kvs)-1].Key) + "\x00"
	}
	slices.SortFunc(kvs, func(a, b *mvccpb.KeyValue) int { return cmp.Compare(a.ModRevision, b.ModRevision) })
	return kvs, rev, nil
}

// commit reads a key's value. A key that is not one of our objects is no commit.
func (db *DB) commit(event watch.EventType, kv *mvccpb.KeyValue, rev int64) (storage.Commit, bool, error) {
	key := string(kv.Key)
	r := db.find(key)
	if r == nil {
		return storage.Commit{}, false, nil
	}
	obj := r.newFunc()
	if err := r.decoder.Decode(kv.Value, obj, rev); err != nil {
		return storage.Commit{}, false, fmt.Errorf("etcd: %s at revision %d is unreadable: %w: has something else than kubesim written it?", key, rev, err)
	}
	return storage.Commit{Revision: rev, Type: event, Resource: r.name, Key: key, Object: obj}, true, nil
}

// retryInterval is how long a watch waits after it was cut off. Unit: wall time.
const retryInterval = 500 * time.Millisecond

// follow watches from revision next on, until Close.
func (db *DB) follow(next int64) {
	ctx, stop := context.WithCancel(context.Background())
	db.following, db.stop, db.stopped = true, stop, make(chan struct{})
	go func() {
		defer close(db.stopped)
		wait.UntilWithContext(ctx, func(ctx context.Context) {
			var err error
			if next, err = db.watch(ctx, next); err != nil && ctx.Err() == nil {
				stop()
				db.cfg.OnFatal(err)
			}
		}, retryInterval)
	}()
}

// watch tells observers of commits from revision next on. It returns when the watch is
// cut off. It returns the revision to continue from, or the reason why it cannot
// continue.
func (db *DB) watch(ctx context.Context, next int64) (int64, error) {
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	for response := range db.client.Watch(ctx, db.root, clientv3.WithPrefix(), clientv3.WithPrevKV(), clientv3.WithRev(next)) {
		if response.CompactRevision != 0 {
			return 0, errors.New("etcd: this server was cut off from etcd for so long that the history it missed is gone: start it again")
		}
		if response.Err() != nil {
			return next, nil
		}
		for _, event := range response.Events {
			if err := db.observe(event); err != nil {
				return 0, err
			}
			next = event.Kv.ModRevision + 1
		}
		db.mu.Lock()
		db.advance(next - 1)
		db.mu.Unlock()
	}
	return next, nil
}

// observe tells observers of one change.
func (db *DB) observe(event *clientv3.Event) error {
	rev := event.Kv.ModRevision
	kind, kv := watch.Modified, event.Kv
	switch {
	case event.IsCreate():
		kind = watch.Added
	case event.Type == clientv3.EventTypeDelete && event.PrevKv == nil:
		return fmt.Errorf("etcd: the last state of %s, deleted at revision %d, is gone from the history: start this server again", event.Kv.Key, rev)
	case event.Type == clientv3.EventTypeDelete:
		kind, kv = watch.Deleted, event.PrevKv
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	r := db.find(string(kv.Key))
	if r == nil {
		return nil
	}
	commit, ok, err := db.commit(kind, kv, rev)
	if err != nil || !ok {
		return err
	}
	for _, o := range db.observers {
		if rev > o.from && rev >= r.since[o] {
			o.f(commit, false)
		}
	}
	return nil
}

// advance records that observers have seen everything up to rev.
func (db *DB) advance(rev int64) {
	if rev > db.seen {
		db.seen = rev
		close(db.moved)
		db.moved = make(chan struct{})
	}
}

// await returns when observers have seen revision rev, when ctx ends, or if there are
// no observers.
func (db *DB) await(ctx context.Context, rev int64) {
	for {
		db.mu.Lock()
		seen, moved, following := db.seen, db.moved, db.following
		db.mu.Unlock()
		if seen >= rev || !following {
			return
		}
		select {
		case <-moved:
		case <-db.stopped:
			return
		case <-ctx.Done():
			return
		}
	}
}
