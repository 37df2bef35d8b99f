// Package history keeps states of a cluster in its data directory, and takes the file
// of one that stands still back to a state of before.
package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/internal/datadir"
	"github.com/kubesim-dev/kubesim/storage"
)

// snapshotsDir is the folder in the data directory that holds snapshots, each a
// whole bbolt file.
const (
	snapshotsDir      = "snapshots"
	snapshotExtension = ".db"
	// savingPrefix begins the name of one that is being written.
	savingPrefix = ".saving-"
)

// Snapshot is what a client sees of one.
type Snapshot struct {
	Name     string    `json:"name"`
	Revision int64     `json:"revision"`
	Time     time.Time `json:"time"` // virtual
	Bytes    int64     `json:"bytes"`
	// Error says why it cannot be read.
	Error string `json:"error,omitempty"`
}

var snapshotName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// Files are those of a data directory.
type Files struct{ Dir *datadir.Dir }

// path is the file of a snapshot. Its error says what a name may be.
func (f Files) path(name string) (string, error) {
	name = strings.TrimSuffix(name, snapshotExtension)
	if !snapshotName.MatchString(name) {
		return "", fmt.Errorf("snapshot %q: want a name of letters, digits, '.', '_' and '-', at most 100", name)
	}
	return filepath.Join(f.Dir.Path, snapshotsDir, name+snapshotExtension), nil
}

// Save keeps the state of db. Without a name it is called after its
// revision, with a number where that is taken.
func (f Files) Save(ctx context.Context, db *storage.DB, name string) (Snapshot, error) {
	if err := os.MkdirAll(filepath.Join(f.Dir.Path, snapshotsDir), datadir.Mode); err != nil {
		return Snapshot{}, fmt.Errorf("snapshots: %w", datadir.Cause(err))
	}
	base := name
	if name == "" {
		base = fmt.Sprintf("revision-%d", db.Revision())
	}
	for i := 1; ; i++ {
		try := base
		if i > 1 {
			try += "-" + strconv.Itoa(i)
		}
		path, err := f.path(try)
		if err != nil {
			return Snapshot{}, err
		}
		err = saveAs(ctx, db, path)
		if errors.Is(err, fs.ErrExist) && name == "" {
			continue
		}
		if errors.Is(err, fs.ErrExist) {
			return Snapshot{}, fmt.Errorf("snapshot %q exists: choose another name, or remove %s first", name, path)
		}
		if err != nil {
			return Snapshot{}, fmt.Errorf("snapshot %q: %w", try, err)
		}
		return describe(path), nil
	}
}

// saveAs writes a snapshot to a file that does not exist yet, whole or not at all.
// It is durable on return: what it keeps may be taken back next.
func saveAs(ctx context.Context, db *storage.DB, path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), savingPrefix+"*")
	if err != nil {
		return err
	}
	_, err = db.Save(ctx, f)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Link(f.Name(), path) // unlike a rename it replaces nothing
	}
	return errors.Join(err, os.Remove(f.Name()), datadir.Sync(filepath.Dir(path)))
}

// Sweep removes what is left of snapshots whose saving was killed. Who calls it has
// the store open, so that nobody else saves.
func (f Files) Sweep() error {
	left, err := filepath.Glob(filepath.Join(f.Dir.Path, snapshotsDir, savingPrefix+"*"))
	for _, path := range left {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

func describe(path string) Snapshot {
	s := Snapshot{Name: strings.TrimSuffix(filepath.Base(path), snapshotExtension)}
	info, err := storage.Describe(path)
	if err != nil {
		s.Error = err.Error()
	}
	s.Revision, s.Time, s.Bytes = info.Revision, info.Time, info.Bytes
	return s
}

// Snapshots lists them by revision, then by name.
func (f Files) Snapshots() ([]Snapshot, error) {
	paths, err := filepath.Glob(filepath.Join(f.Dir.Path, snapshotsDir, "[^.]*"+snapshotExtension))
	if err != nil {
		return nil, err
	}
	list := make([]Snapshot, 0, len(paths))
	for _, path := range paths {
		list = append(list, describe(path))
	}
	slices.SortFunc(list, func(a, b Snapshot) int {
		return cmp.Or(cmp.Compare(a.Revision, b.Revision), cmp.Compare(a.Name, b.Name))
	})
	return list, nil
}

// Existing is the file of a snapshot that there is.
func (f Files) Existing(name string) (string, error) {
	path, err := f.path(name)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("snapshot %q: %w: 'kubesim snapshot list' shows those that there are", name, datadir.Cause(err))
	}
	return path, nil
}

// Delete removes a snapshot.
func (f Files) Delete(name string) error {
	path, err := f.Existing(name)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("snapshot %q: %w", name, datadir.Cause(err))
	}
	return datadir.Sync(filepath.Dir(path))
}

// Past is a moment to go back to: a revision and, if not zero, an instant after
// it, before the next.
type Past struct {
	revision int64
	at       time.Time
}

// ParsePast reads REVISION or DURATION; one of them is set.
func ParsePast(arg string) (revision int64, ago time.Duration, err error) {
	if revision, err = strconv.ParseInt(arg, 10, 64); err == nil && revision > 0 {
		return revision, 0, nil
	}
	if ago, err = time.ParseDuration(arg); err == nil && ago > 0 {
		return 0, ago, nil
	}
	return 0, 0, fmt.Errorf("%q: want a revision, for example 1234, or a duration of virtual time, for example 10m", arg)
}

// FindPast returns the moment that arg names, as of now.
func FindPast(db *storage.DB, arg string, now time.Time) (Past, error) {
	revision, ago, err := ParsePast(arg)
	if err != nil {
		return Past{}, err
	}
	p := Past{revision: revision}
	if ago != 0 {
		p.at = now.Add(-ago)
		p.revision = db.RevisionAt(p.at)
	}
	if err = db.Kept(p.revision); err == nil {
		return p, nil
	}
	if ago != 0 && p.revision == 0 {
		err = fmt.Errorf("history does not reach back to %s", p.at.UTC().Format(time.RFC3339))
	}
	return Past{}, fmt.Errorf("%w: 'kubesim snapshot list' shows what else there is to go back to; --compaction-interval says how much history a server keeps", err)
}

// Rewind takes db back to p.
func Rewind(ctx context.Context, db *storage.DB, p Past) error {
	var later func([]byte) bool
	if !p.at.IsZero() {
		later = func(mark []byte) bool {
			at, err := engine.MarkedAt(mark)
			return err != nil || at.After(p.at)
		}
	}
	return db.Rewind(ctx, p.revision, p.at, later)
}

// Reverted says what became of a cluster that was taken back.
type Reverted struct {
	// Before is the snapshot of what was there.
	Before Snapshot `json:"before"`
	// Revision is the newest now, at the virtual instant Time.
	Revision int64     `json:"revision"`
	Time     time.Time `json:"time"`
	// Paused: the clock was paused, so that there is something to see.
	Paused bool `json:"paused,omitempty"`
}

// Revert changes the file of a cluster that stands still, after it has kept a
// snapshot of it.
func (f Files) Revert(ctx context.Context, ephemeral bool, change func(*storage.DB) error) (t Reverted, err error) {
	db, err := f.openStill(ephemeral)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if t.Before, err = f.Save(ctx, db, ""); err != nil {
		return t, err
	}
	if err := change(db); err != nil {
		return t, err
	}
	t.Revision = db.Revision()
	t.Time, err = instant(db)
	return t, err
}

// instant is the virtual time of the state in db: that of the engine's last mark or,
// if it is later, of the last write.
func instant(db *storage.DB) (time.Time, error) {
	marks, _, err := db.Marks(db.Revision())
	if err != nil || len(marks) == 0 {
		return db.LastWrite(), err
	}
	at, err := engine.MarkedAt(marks[len(marks)-1])
	if last := db.LastWrite(); err != nil || at.Before(last) { // it is left aside at the next start
		at = last
	}
	return at, nil
}

// openExisting is openStill for a file that must be there.
func (f Files) openExisting() (*storage.DB, error) {
	if _, err := os.Stat(f.Dir.File(datadir.StoreFile)); err != nil {
		return nil, fmt.Errorf("data directory %s holds no cluster: %w", f.Dir.Path, datadir.Cause(err))
	}
	return f.openStill(false)
}

// openStill opens the file of a cluster whose time stands still.
func (f Files) openStill(ephemeral bool) (*storage.DB, error) {
	db, err := openStill(f.Dir.File(datadir.StoreFile), ephemeral)
	if err != nil {
		return nil, err
	}
	if err := f.Sweep(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func openStill(path string, ephemeral bool) (db *storage.DB, err error) {
	return storage.Open(storage.Config{
		Path: path, Ephemeral: ephemeral,
		Now: func() time.Time { return db.LastWrite() },
	})
}

// restoreDamaged puts a snapshot in the place of a file that cannot be opened, which
// is kept under another name. There is a file at every moment: without one, a
// server would begin an empty cluster.
func (f Files) restoreDamaged(ctx context.Context, path string) (kept string, t Reverted, err error) {
	restored := f.Dir.File(datadir.StoreFile + ".restored")
	if err := os.Remove(restored); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a try that was killed
		return "", t, err
	}
	db, err := openStill(restored, false)
	if err != nil {
		return "", t, err
	}
	err = db.Restore(ctx, path)
	t.Revision = db.Revision()
	var timeErr error
	t.Time, timeErr = instant(db)
	if err = errors.Join(err, timeErr, db.Close()); err != nil {
		return "", t, errors.Join(err, os.Remove(restored))
	}
	for i := 1; ; i++ {
		kept = fmt.Sprintf("%s.damaged-%d", f.Dir.File(datadir.StoreFile), i)
		if err = os.Link(f.Dir.File(datadir.StoreFile), kept); !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	if err == nil {
		err = os.Rename(restored, f.Dir.File(datadir.StoreFile))
	}
	return kept, t, errors.Join(err, datadir.Sync(f.Dir.Path))
}
