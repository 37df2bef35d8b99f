package storage

import (
	"fmt"
	"os"
	"time"

	"go.etcd.io/bbolt"

	"github.com/kubesim-dev/kubesim/storage/boltfile"
)

// Info is what a file says about itself.
type Info struct {
	// Revision is the newest revision. Time is the time of that revision, by the clock
	// of whoever wrote the file.
	Revision int64
	Time     time.Time
	// Bytes is the length of the file.
	Bytes int64
}

// Describe reads what a file says about itself. Nobody may be writing the file. It does
// not verify the rest of it. Its errors are those of Open.
func Describe(path string) (info Info, err error) {
	err = boltfile.Read(path, func(f *os.File, _ boltfile.Meta, bolt *bbolt.DB) error {
		stat, err := f.Stat()
		if err != nil {
			return err
		}
		info.Bytes = stat.Size()
		return bolt.View(func(tx *bbolt.Tx) error {
			laidOut, err := checkFormat(tx)
			if err != nil || !laidOut {
				return err
			}
			current := tx.Bucket([]byte(bucketMeta)).Get([]byte(metaCurrent))
			if len(current) != 16 {
				return fmt.Errorf("meta has no current revision: %w", ErrCorrupt)
			}
			info.Revision, info.Time = parseInt64(current), time.Unix(0, parseInt64(current[8:])).UTC()
			return nil
		})
	})
	if err != nil {
		return info, explain(path, err)
	}
	return info, nil
}
