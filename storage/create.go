package storage

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/storage"
)

// Create implements storage.Interface. Unit of ttl: seconds of Config.Now; 0 means
// forever.
func (s *Store) Create(ctx context.Context, key string, obj, out runtime.Object, ttl uint64) error {
	key, err := s.prepareKey(key, false)
	if err != nil {
		return err
	}
	if version, err := s.versioner.ObjectResourceVersion(obj); err == nil && version != 0 {
		return storage.ErrResourceVersionSetOnCreate
	}
	if err := s.versioner.PrepareObjectForStorage(obj); err != nil {
		return fmt.Errorf("PrepareObjectForStorage failed: %w", err)
	}
	stored, data, err := s.encode(ctx, key, obj)
	if err == nil {
		err = fits(key, stored)
	}
	if err != nil {
		return err
	}
	// The encoded object is decoded, not copied. So the object is the same as it will
	// be after a restart (times cut to seconds, defaults applied).
	kept, err := s.decode(data, 0)
	if err != nil {
		return err
	}
	rec, r, err := s.db.assign(ctx, write{
		store: s, key: key, kind: created, value: stored, obj: kept, expiry: s.expiresAt(ttl),
	})
	if errors.Is(err, errConflict) {
		if err := s.db.AwaitVisible(ctx); err != nil {
			return err
		}
		return storage.NewKeyExistsError(key, 0)
	}
	if err != nil {
		return err
	}
	if err := s.db.finish(ctx, r); err != nil || out == nil {
		return err
	}
	return s.setOut(out, kept, given(data), rec.rev)
}
