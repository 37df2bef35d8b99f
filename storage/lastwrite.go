package storage

import "time"

// LastWrite returns the time at which the newest revision was written, by Config.Now.
// It is zero if there is none. A server that starts again continues virtual time from
// there, so that it never goes back.
func (db *DB) LastWrite() time.Time {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.stamp == 0 {
		return time.Time{}
	}
	return time.Unix(0, db.stamp).UTC()
}

// Compacted returns the revision below which history is deleted.
func (db *DB) Compacted() int64 { return db.compacted.Load() }
