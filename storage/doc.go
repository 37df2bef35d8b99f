// Package storage keeps the cluster in one bbolt file and serves it through
// k8s.io/apiserver's storage.Interface.
//
// Invariants:
//   - Every write takes the next revision. Revisions are dense, except for gaps that
//     Rewind and Restore leave. They never go back, not even across restarts.
//   - In a durable store, an ordinary write returns when it is durable. Only the
//     observers and the holder of a WithoutWait context see a write that a crash
//     could lose.
//   - In an ephemeral store, a write returns, and everybody sees it, when it has
//     its revision. The file follows. Whatever reads more than one key waits for it.
//   - An object that a Commit, a watcher's event or the cache holds is never
//     changed again. So the committer can encode it later; see CreateKept.
//   - The package never reads the wall clock; Config.Now is time.
//
// # What each mode promises
//
//	                        durable                   ephemeral
//	a write is answered     after its fsync, which    when it has its revision
//	                        concurrent writers share
//	a reader or watcher     when it is durable        at the same moment
//	sees it
//	a killed process loses  nothing acknowledged      what has not reached the file: mostly
//	                                                  below behindBytes, at most pendingMax
//	a machine that crashes  nothing acknowledged      anything; the file may be damaged
//	loses
//	order                   in both, revisions are one order of all writes, which every
//	                        reader, watcher and observer agrees with (linearizable)
//
// # The file
//
// All integers are big endian, so bbolt's key order is numeric order.
//
//	bucket  key                        value
//	meta    "format"                   8 bytes: formatVersion
//	meta    "current"                  8 bytes newest revision, 8 bytes its time (Unix ns)
//	meta    "compacted"                8 bytes: history below this revision is gone
//	meta    "pruned"                   8 bytes: compaction has tidied up to here (<= compacted)
//	meta    "gaps"                     per gap 8 bytes first, 8 bytes last revision that was taken back
//	log     revision (8)               record, see below
//	index   key, 0x00, revision (8)    1 byte: kind
//	ttl     expiry (8, Unix ns), key   8 bytes: revision
//	stats   resource prefix            8 bytes live keys, 8 bytes their values' bytes
//	marks   revision (8), number (4)   4 bytes CRC-32C of key and rest, 1 byte: 1 full, 0 what changed; data
//
// A record is
//
//	bytes   field
//	4       CRC-32C of the revision and of everything that follows
//	1       kind: 1 created, 2 modified, 3 deleted; and 0x80 if an actor follows the key
//	8       create revision
//	8       revision of the version before; 0 for a created record
//	8       expiry, Unix ns; 0 never
//	8       time of the write, Unix ns
//	4       length of the key
//	n       key
//	1       length of the actor, if there is one, since format 3
//	n       actor: the author of the write
//	rest    value as the resource's transformer left it; empty when deleted
//
// A mark is what the driver of the DB wants back with a revision; see DB.Mark.
//
// A new file is at revision 1, as in etcd. The first write is revision 2.
//
// # Caveats
//
// Open reads the whole file. It verifies bbolt's pages and each record's checksum,
// and that the buckets agree. bbolt's freelist is written only on Close. After a
// crash, Open rebuilds it.
package storage
