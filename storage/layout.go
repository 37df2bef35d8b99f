package storage

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

// formatVersion is the layout that doc.go describes. A file with a higher version was
// written by a newer kubesim.
const formatVersion = 3

// firstRevision is the revision of an empty file. Source: etcd starts at 1.
const firstRevision = 1

// recordHeader is the length of a record before its key. Unit: bytes.
const recordHeader = 4 + 1 + 8 + 8 + 8 + 8 + 4

// actorFlag is set in a record's kind if its actor follows the key, since format 3.
// actorMax bounds how much of the actor is kept. Unit: bytes.
const (
	actorFlag = 0x80
	actorMax  = 255
)

const (
	bucketMeta  = "meta"
	bucketLog   = "log"
	bucketIndex = "index"
	bucketTTL   = "ttl"
	bucketStats = "stats"
	bucketMarks = "marks" // since format 2

	metaFormat    = "format"
	metaCurrent   = "current"
	metaCompacted = "compacted"
	metaPruned    = "pruned"
	metaGaps      = "gaps"
)

// buckets returns the names of all buckets.
func buckets() []string {
	return []string{bucketMeta, bucketLog, bucketIndex, bucketTTL, bucketStats, bucketMarks}
}

// kind says what a write did to its key.
type kind byte

const (
	created kind = iota + 1
	modified
	deleted
)

// eventType is what observers and watchers call k.
func (k kind) eventType() watch.EventType {
	switch k {
	case created:
		return watch.Added
	case modified:
		return watch.Modified
	}
	return watch.Deleted
}

// record is one version of one key. It is immutable once shared.
type record struct {
	rev       int64
	kind      kind
	createRev int64
	prevRev   int64
	expiry    int64 // Unix ns, 0 never
	time      int64 // Unix ns
	key       string
	actor     string // its author, as Config.Actor said; at most actorMax bytes
	value     []byte // as stored; never aliases the memory map. See encoded

	// obj is value decoded, with its resourceVersion, if the resource has no
	// transformer; otherwise nil. It is shared: nobody may change it.
	obj runtime.Object
	// by is the store that made obj. Another store of the same resource, opened later,
	// may have another codec.
	by *Store

	// retained says that observers hold obj, or what it is made of, while it is the
	// newest.
	retained bool

	// late is set if value is encoded from obj when somebody needs it. guess is its
	// assumed length until then.
	late  *late
	guess int
}

// size is what a record counts against a bound, and never changes. Unit: encoded bytes.
// For a record that came only as an object, it is an estimate.
func (r *record) size() int64 {
	n := r.guess
	if r.late == nil {
		n = len(r.value)
	}
	return int64(recordHeader + len(r.key) + n)
}

func beUint64(v int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(v)) }

func parseInt64(b []byte) int64 {
	if len(b) < 8 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(b))
}

// indexKey returns where the index keeps version rev of key.
func indexKey(key string, rev int64) []byte {
	b := make([]byte, 0, len(key)+9)
	b = append(b, key...)
	b = append(b, 0)
	return binary.BigEndian.AppendUint64(b, uint64(rev))
}

// splitIndexKey undoes indexKey. The key aliases b.
func splitIndexKey(b []byte) (key []byte, rev int64) {
	n := len(b) - 9
	if n < 0 {
		return nil, 0
	}
	return b[:n], int64(binary.BigEndian.Uint64(b[n+1:]))
}

// ttlKey orders keys by the instant at which they expire.
func ttlKey(expiry int64, key string) []byte {
	return append(beUint64(expiry), key...)
}

// encode writes r in the form that doc.go gives.
func (r *record) encode() ([]byte, error) {
	value, err := r.encoded()
	if err != nil {
		return nil, err
	}
	b := make([]byte, 4, recordHeader+len(r.key)+1+len(r.actor)+len(value))
	if r.actor == "" {
		b = append(b, byte(r.kind))
	} else {
		b = append(b, byte(r.kind)|actorFlag)
	}
	b = binary.BigEndian.AppendUint64(b, uint64(r.createRev))
	b = binary.BigEndian.AppendUint64(b, uint64(r.prevRev))
	b = binary.BigEndian.AppendUint64(b, uint64(r.expiry))
	b = binary.BigEndian.AppendUint64(b, uint64(r.time))
	b = binary.BigEndian.AppendUint32(b, uint32(len(r.key)))
	b = append(b, r.key...)
	if r.actor != "" {
		b = append(b, byte(len(r.actor)))
		b = append(b, r.actor...)
	}
	b = append(b, value...)
	binary.BigEndian.PutUint32(b, checksum(r.rev, b[4:]))
	return b, nil
}

func checksum(rev int64, body []byte) uint32 {
	var k [8]byte
	binary.BigEndian.PutUint64(k[:], uint64(rev))
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(k[:], table), table, body)
}

// peekKey returns the key of an encoded record without verifying the rest. It
// aliases b.
func peekKey(b []byte) []byte {
	if len(b) < recordHeader {
		return nil
	}
	n := int(binary.BigEndian.Uint32(b[recordHeader-4:]))
	if n > len(b)-recordHeader {
		return nil
	}
	return b[recordHeader : recordHeader+n]
}

// peekKind returns the kind of an encoded record.
func peekKind(b []byte) kind { return kind(b[4] &^ actorFlag) }

// peekRest returns the actor and the value of an encoded record whose key peekKey has
// returned. They alias b. ok is false if the record is cut short.
func peekRest(b, key []byte) (actor, value []byte, ok bool) {
	rest := b[recordHeader+len(key):]
	if b[4]&actorFlag == 0 {
		return nil, rest, true
	}
	if len(rest) == 0 || len(rest) < 1+int(rest[0]) {
		return nil, nil, false
	}
	n := 1 + int(rest[0])
	return rest[1:n], rest[n:], true
}

// peekExpiry returns the expiry of an encoded record. Unit: Unix ns.
func peekExpiry(b []byte) int64 { return parseInt64(b[21:]) }

// peekTime returns the time of an encoded record. Unit: Unix ns.
func peekTime(b []byte) int64 {
	if len(b) < recordHeader {
		return 0
	}
	return int64(binary.BigEndian.Uint64(b[29:]))
}

// decodeRecord reads and verifies the record of revision rev. It copies what it
// keeps. Its error is ErrCorrupt.
func decodeRecord(rev int64, b []byte) (*record, error) {
	key := peekKey(b)
	if key == nil {
		return nil, fmt.Errorf("revision %d: record of %d bytes is cut short: %w", rev, len(b), ErrCorrupt)
	}
	if checksum(rev, b[4:]) != binary.BigEndian.Uint32(b) {
		return nil, fmt.Errorf("revision %d: checksum does not match: %w", rev, ErrCorrupt)
	}
	actor, v, ok := peekRest(b, key)
	if !ok {
		return nil, fmt.Errorf("revision %d: the actor of a record of %d bytes is cut short: %w", rev, len(b), ErrCorrupt)
	}
	r := &record{
		rev:       rev,
		kind:      peekKind(b),
		createRev: int64(binary.BigEndian.Uint64(b[5:])),
		prevRev:   int64(binary.BigEndian.Uint64(b[13:])),
		expiry:    int64(binary.BigEndian.Uint64(b[21:])),
		time:      peekTime(b),
		key:       string(key),
		actor:     string(actor),
	}
	if len(v) > 0 {
		r.value = append(make([]byte, 0, len(v)), v...)
	}
	if r.kind < created || r.kind > deleted {
		return nil, fmt.Errorf("revision %d: unknown kind %d: %w", rev, r.kind, ErrCorrupt)
	}
	return r, nil
}
