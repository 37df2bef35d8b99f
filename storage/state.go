package storage

import (
	"context"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/storage"
)

// state is the version of a key that a write starts from.
//
// Deviation: cachedExistingObject, upstream's suggestion of the current state, is not
// used. It saves upstream a round trip to etcd. Here the read is a lookup in memory,
// and a write that starts from the newest version needs no second attempt.
// storage.Interface allows this.
type state struct {
	rec   *record        // nil if the key does not exist
	obj   runtime.Object // shared; nil if there is none or it is unreadable
	clear []byte         // encoded, without the transformer's work, if there is one
	stale bool           // the transformer wants it written anew
}

// data returns the state as it was encoded.
func (st state) data() ([]byte, error) {
	if st.clear != nil || st.rec == nil {
		return st.clear, nil
	}
	return st.rec.encoded()
}

// rev is the revision of the state, 0 if the key does not exist.
func (st state) rev() int64 {
	if st.rec == nil {
		return 0
	}
	return st.rec.rev
}

// state reads the newest version of key, including uncommitted ones: a write on top of
// one is in the same commit or a later one. The error says why the object is
// unreadable; rec is then set.
func (s *Store) state(ctx context.Context, key string) (st state, err error) {
	r, err := s.db.pendingOrCommitted(key)
	if err != nil {
		return st, storage.NewInternalError(err)
	}
	if r == nil || r.kind == deleted {
		if r != nil {
			err = s.db.awaitVisible(ctx, r.rev)
		}
		return st, err
	}
	st.rec = r
	if s.plain() {
		st.obj, err = s.object(ctx, r)
		return st, err
	}
	if st.clear, st.stale, err = s.plaintext(ctx, r); err != nil {
		return st, internalError(err)
	}
	st.obj, err = s.decode(st.clear, r.rev)
	return st, err
}

// refuse returns err once the state that caused it is durable. So no client learns of a
// version that a crash could lose.
func (s *Store) refuse(ctx context.Context, st state, err error) error {
	if st.rec != nil {
		if serr := s.db.awaitVisible(ctx, st.rec.rev); serr != nil {
			return serr
		}
	}
	return err
}

// encode returns obj as it is to be stored and, for comparison, as it was before the
// transformer's work.
func (s *Store) encode(ctx context.Context, key string, obj runtime.Object) (stored, data []byte, err error) {
	if data, err = runtime.Encode(s.codec, obj); err != nil {
		return nil, nil, err
	}
	stored, err = s.toStorage(ctx, key, data)
	return stored, data, err
}

func (s *Store) toStorage(ctx context.Context, key string, data []byte) ([]byte, error) {
	t := s.transformer.Load()
	if t == nil {
		return data, nil
	}
	stored, err := (*t).TransformToStorage(ctx, data, authenticatedKey(key))
	if err != nil {
		return nil, storage.NewInternalError(err)
	}
	return stored, nil
}

// finish waits for the write's commit, unless ctx does not.
func (db *DB) finish(ctx context.Context, r *round) error {
	if db.ahead(ctx) {
		return nil
	}
	return r.wait(ctx)
}

// expiresAt turns a TTL in seconds into an instant, Unix ns; 0 stays 0.
func (s *Store) expiresAt(ttl uint64) int64 {
	if ttl == 0 {
		return 0
	}
	return s.db.cfg.Now().UnixNano() + int64(ttl)*1e9
}
