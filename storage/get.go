package storage

import (
	"context"
	"fmt"

	"go.etcd.io/bbolt"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/storage"
)

// Get implements storage.Interface. It sees committed versions. In an ephemeral store,
// or with a WithoutWait context, it sees the newest.
func (s *Store) Get(ctx context.Context, key string, opts storage.GetOptions, out runtime.Object) error {
	key, err := s.prepareKey(key, false)
	if err != nil {
		return err
	}
	if opts.ResourceVersion != "" {
		current, err := s.current(ctx)
		if err != nil {
			return storage.NewInternalError(err)
		}
		if err := s.notOlderThan(opts.ResourceVersion, current); err != nil {
			return err
		}
	}
	r, err := s.read(ctx, key)
	if err != nil {
		return storage.NewInternalError(err)
	}
	if r == nil || r.kind == deleted {
		if opts.IgnoreNotFound {
			return runtime.SetZeroValue(out)
		}
		return storage.NewKeyNotFoundError(key, 0)
	}
	return s.reportCorruptKey(key, s.deliver(ctx, r, out))
}

// current returns a revision such that a read with ctx, from now on, is not older.
// Lists have shown what the file has, so current asks the file.
func (s *Store) current(ctx context.Context) (rev int64, err error) {
	if s.db.ahead(ctx) {
		return s.db.Revision(), nil
	}
	err = s.db.view(func(tx *bbolt.Tx) error {
		rev, _ = bounds(tx)
		return nil
	})
	return rev, err
}

// read returns the version of key that ctx sees, or nil.
func (s *Store) read(ctx context.Context, key string) (*record, error) {
	if s.db.ahead(ctx) {
		return s.db.pendingOrCommitted(key)
	}
	return s.db.committedRecord(key)
}

// deliver decodes r into out.
func (s *Store) deliver(ctx context.Context, r *record, out runtime.Object) error {
	if !s.plain() {
		data, _, err := s.plaintext(ctx, r)
		if err != nil {
			return internalError(err)
		}
		_, err = s.decodeInto(data, r.rev, out)
		return err
	}
	obj, err := s.object(ctx, r)
	if err != nil {
		return err
	}
	return s.setOut(out, obj, r.encoded, r.rev)
}

// notOlderThan returns an error if the read at revision current is older than what the
// client asked for.
func (s *Store) notOlderThan(resourceVersion string, current int64) error {
	if resourceVersion == "" {
		return nil
	}
	want, err := s.versioner.ParseResourceVersion(resourceVersion)
	if err != nil {
		return apierrors.NewBadRequest(fmt.Sprintf("invalid resource version: %v", err))
	}
	if want > uint64(current) {
		return storage.NewTooLargeResourceVersionError(want, uint64(current), 0)
	}
	return nil
}
