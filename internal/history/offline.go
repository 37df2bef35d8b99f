package history

import (
	"context"
	"errors"

	"github.com/kubesim-dev/kubesim/storage"
)

// What can be done while no server runs. Each fails with storage.ErrInUse if one does.

// SaveOffline keeps the present state, see Save.
func (f Files) SaveOffline(ctx context.Context, name string) (saved Snapshot, err error) {
	db, err := f.openExisting()
	if err != nil {
		return saved, err
	}
	saved, err = f.Save(ctx, db, name)
	return saved, errors.Join(err, db.Close())
}

// RestoreOffline takes the cluster back to a snapshot. If its file is damaged, that is
// kept under the name that is returned.
func (f Files) RestoreOffline(ctx context.Context, name string) (t Reverted, kept string, err error) {
	path, err := f.Existing(name)
	if err != nil {
		return t, "", err
	}
	t, err = f.Revert(ctx, false, func(db *storage.DB) error { return db.Restore(ctx, path) })
	if !errors.Is(err, storage.ErrCorrupt) {
		return t, "", err
	}
	if _, serr := storage.Describe(path); serr != nil {
		return t, "", serr
	}
	kept, t, err = f.restoreDamaged(ctx, path)
	return t, kept, err
}

// RewindOffline takes the cluster back to a revision, or by a duration of virtual time,
// see ParsePast.
func (f Files) RewindOffline(ctx context.Context, to string) (t Reverted, err error) {
	db, err := f.openExisting()
	if err != nil {
		return t, err
	}
	p, err := FindPast(db, to, db.LastWrite())
	if err = errors.Join(err, db.Close()); err != nil {
		return t, err
	}
	return f.Revert(ctx, false, func(db *storage.DB) error { return Rewind(ctx, db, p) })
}
