package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubesim-dev/kubesim/controllers/engine"
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

// snapshot is what a client sees of one.
type snapshot struct {
	Name     string    `json:"name"`
	Revision int64     `json:"revision"`
	Time     time.Time `json:"time"` // virtual
	Bytes    int64     `json:"bytes"`
	// Error says why it cannot be read.
	Error string `json:"error,omitempty"`
}

var snapshotName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// snapshotPath is the file of a snapshot. Its error says what a name may be.
func (d *dataDir) snapshotPath(name string) (string, error) {
	name = strings.TrimSuffix(name, snapshotExtension)
	if !snapshotName.MatchString(name) {
		return "", fmt.Errorf("snapshot %q: want a name of letters, digits, '.', '_' and '-', at most 100", name)
	}
	return filepath.Join(d.path, snapshotsDir, name+snapshotExtension), nil
}

// saveSnapshot keeps the state of db. Without a name it is called after its
// revision, with a number where that is taken.
func (d *dataDir) saveSnapshot(ctx context.Context, db *storage.DB, name string) (snapshot, error) {
	if err := os.MkdirAll(filepath.Join(d.path, snapshotsDir), dirMode); err != nil {
		return snapshot{}, fmt.Errorf("snapshots: %w", rootCause(err))
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
		path, err := d.snapshotPath(try)
		if err != nil {
			return snapshot{}, err
		}
		err = saveAs(ctx, db, path)
		if errors.Is(err, fs.ErrExist) && name == "" {
			continue
		}
		if errors.Is(err, fs.ErrExist) {
			return snapshot{}, fmt.Errorf("snapshot %q exists: choose another name, or remove %s first", name, path)
		}
		if err != nil {
			return snapshot{}, fmt.Errorf("snapshot %q: %w", try, err)
		}
		return describeSnapshot(path), nil
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
	return errors.Join(err, os.Remove(f.Name()), syncDir(filepath.Dir(path)))
}

// sweep removes what is left of snapshots whose saving was killed. Who calls it has
// the store open, so that nobody else saves.
func (d *dataDir) sweep() error {
	left, err := filepath.Glob(filepath.Join(d.path, snapshotsDir, savingPrefix+"*"))
	for _, path := range left {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

func describeSnapshot(path string) snapshot {
	s := snapshot{Name: strings.TrimSuffix(filepath.Base(path), snapshotExtension)}
	info, err := storage.Describe(path)
	if err != nil {
		s.Error = err.Error()
	}
	s.Revision, s.Time, s.Bytes = info.Revision, info.Time, info.Bytes
	return s
}

// snapshots lists them by revision, then by name.
func (d *dataDir) snapshots() ([]snapshot, error) {
	paths, err := filepath.Glob(filepath.Join(d.path, snapshotsDir, "[^.]*"+snapshotExtension))
	if err != nil {
		return nil, err
	}
	list := make([]snapshot, 0, len(paths))
	for _, path := range paths {
		list = append(list, describeSnapshot(path))
	}
	slices.SortFunc(list, func(a, b snapshot) int {
		return cmp.Or(cmp.Compare(a.Revision, b.Revision), cmp.Compare(a.Name, b.Name))
	})
	return list, nil
}

// past is a moment to go back to: a revision and, if not zero, an instant after
// it, before the next.
type past struct {
	revision int64
	at       time.Time
}

// parsePast reads REVISION or DURATION; one of them is set.
func parsePast(arg string) (revision int64, ago time.Duration, err error) {
	if revision, err = strconv.ParseInt(arg, 10, 64); err == nil && revision > 0 {
		return revision, 0, nil
	}
	if ago, err = time.ParseDuration(arg); err == nil && ago > 0 {
		return 0, ago, nil
	}
	return 0, 0, fmt.Errorf("%q: want a revision, for example 1234, or a duration of virtual time, for example 10m", arg)
}

// findPast returns the moment that arg names, as of now.
func findPast(db *storage.DB, arg string, now time.Time) (past, error) {
	revision, ago, err := parsePast(arg)
	if err != nil {
		return past{}, err
	}
	p := past{revision: revision}
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
	return past{}, fmt.Errorf("%w: 'kubesim snapshot list' shows what else there is to go back to; --compaction-interval says how much history a server keeps", err)
}

// rewind takes db back to p.
func rewind(ctx context.Context, db *storage.DB, p past) error {
	var later func([]byte) bool
	if !p.at.IsZero() {
		later = func(mark []byte) bool {
			at, err := engine.MarkedAt(mark)
			return err != nil || at.After(p.at)
		}
	}
	return db.Rewind(ctx, p.revision, p.at, later)
}

// turned says what became of a cluster that was taken back.
type turned struct {
	// Before is the snapshot of what was there.
	Before snapshot `json:"before"`
	// Revision is the newest now, at the virtual instant Time.
	Revision int64     `json:"revision"`
	Time     time.Time `json:"time"`
	// Paused: the clock was paused, so that there is something to see.
	Paused bool `json:"paused,omitempty"`
}

// turnBack changes the file of a cluster that stands still, after it has kept a
// snapshot of it.
func (d *dataDir) turnBack(ctx context.Context, ephemeral bool, change func(*storage.DB) error) (t turned, err error) {
	db, err := d.openStill(ephemeral)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if t.Before, err = d.saveSnapshot(ctx, db, ""); err != nil {
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
func (d *dataDir) openExisting() (*storage.DB, error) {
	if _, err := os.Stat(d.file(storeFile)); err != nil {
		return nil, fmt.Errorf("data directory %s holds no cluster: %w", d.path, rootCause(err))
	}
	return d.openStill(false)
}

// openStill opens the file of a cluster whose time stands still.
func (d *dataDir) openStill(ephemeral bool) (*storage.DB, error) {
	db, err := openStill(d.file(storeFile), ephemeral)
	if err != nil {
		return nil, err
	}
	if err := d.sweep(); err != nil {
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
func (d *dataDir) restoreDamaged(ctx context.Context, path string) (kept string, t turned, err error) {
	restored := d.file(storeFile + ".restored")
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
		kept = fmt.Sprintf("%s.damaged-%d", d.file(storeFile), i)
		if err = os.Link(d.file(storeFile), kept); !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	if err == nil {
		err = os.Rename(restored, d.file(storeFile))
	}
	return kept, t, errors.Join(err, syncDir(d.path))
}

// printTurned tells what has happened.
func printTurned(w io.Writer, what string, t turned) error {
	when := "before the first write"
	if !t.Time.IsZero() {
		when = t.Time.UTC().Format(time.RFC3339)
	}
	if _, err := fmt.Fprintf(w, "%s: revision %d, %s.\n", what, t.Revision, when); err != nil {
		return err
	}
	if t.Before.Name != "" {
		fmt.Fprintf(w, "What was there before is snapshot %s.\n", t.Before.Name)
	}
	if t.Paused {
		fmt.Fprintln(w, "The clock is paused; 'kubesim clock resume' lets it go on.")
	}
	return nil
}
