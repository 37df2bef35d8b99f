package storage

import (
	"bytes"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"
)

// TestMarksHaveABound: marks without a write in between take no more than their share,
// and the newest state can be told from those that are left.
func TestMarksHaveABound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kubesim.db")
	db := openDB(t, setup{path: path, ephemeral: true})
	s := podStore(t, db, testCodec(t), nil)
	create(t.Context(), t, s, "/pods/ns/a")
	part := bytes.Repeat([]byte("x"), 64<<10)
	for i := range 3 * marksMax / len(part) {
		db.Mark(db.Revision(), append(part[:len(part):len(part)], byte(i)), i%20 == 0)
		if i%100 == 0 {
			update(t.Context(), t, s, "/pods/ns/a", "v")
			if err := db.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	last := 3*marksMax/len(part) - 1
	closeDB(t, db)
	db = openDB(t, setup{path: path})
	var held int64
	err := db.view(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(bucketMarks)).ForEach(func(_, v []byte) error { held += int64(len(v)); return nil })
	})
	if err != nil || held > marksMax {
		t.Errorf("the marks take %d bytes, %v; want at most %d", held, err, marksMax)
	}
	marks, at, err := db.Marks(db.Revision())
	if err != nil || at == 0 || len(marks) != last%20+1 || marks[len(marks)-1][len(part)] != byte(last) {
		t.Errorf("%d marks at revision %d, %v; want the newest full one and the %d after it", len(marks), at, err, last%20)
	}
	if err := db.Check(t.Context()); err != nil {
		t.Error(err)
	}
}
