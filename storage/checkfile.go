package storage

import (
	"context"
	"os"

	"go.etcd.io/bbolt"

	"github.com/kubesim-dev/kubesim/storage/boltfile"
)

// Report is what CheckFile found in a file.
type Report struct {
	Format int64
	// Revision is the newest revision. History before Compacted is deleted; 0 means
	// that none is.
	Revision, Compacted int64
	// Keys is the number of keys that exist at Revision.
	Keys int64
	// Bytes is the length of the file.
	Bytes int64
	// Problems lists at most 20 problems; it is empty for a sound file. Each wraps
	// ErrCorrupt.
	Problems []error
}

// CheckFile verifies everything that Open and DB.Check verify, in a file that no server
// has open. It does not change the file. It tells progress what it checks next. An
// error says that the file could not be checked. An error about damage, ErrCorrupt,
// comes with a Report and says what to do.
func CheckFile(ctx context.Context, path string, progress func(what string)) (Report, error) {
	var r Report
	err := boltfile.Read(path, func(f *os.File, m boltfile.Meta, bolt *bbolt.DB) error {
		progress("pages")
		if r.Problems = boltfile.Pages(f, m); len(r.Problems) > 0 {
			return nil
		}
		info, err := f.Stat()
		if err != nil {
			return err
		}
		r.Bytes = info.Size()
		return bolt.View(func(tx *bbolt.Tx) error { return r.check(ctx, tx, progress) })
	})
	switch {
	case err == nil && len(r.Problems) > 0:
		err = ErrCorrupt
	case err == nil:
		return r, nil
	case len(r.Problems) == 0 && isDamage(err):
		r.Problems = []error{err}
		err = ErrCorrupt
	}
	return r, explain(path, err)
}

func (r *Report) check(ctx context.Context, tx *bbolt.Tx, progress func(what string)) error {
	laidOut, err := checkFormat(tx)
	if err != nil || !laidOut {
		return err
	}
	c := newChecker(ctx, tx)
	r.Format = parseInt64(tx.Bucket([]byte(bucketMeta)).Get([]byte(metaFormat)))
	r.Revision, r.Compacted = c.current, c.compacted
	err = c.run(progress)
	r.Keys, r.Problems = c.live, c.problems
	return err
}
