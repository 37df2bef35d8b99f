package stream

import (
	"encoding/binary"
	"time"
)

// blockSize is how much of a log lies in one piece of memory. Unit: bytes.
const blockSize = 64 << 10

// block holds lines of a log one behind the other: what most programs print takes a
// few bytes more than its text, where a slice a line took sixty. A line is the time
// since the one before in the block (nanoseconds, zigzag), its length doubled, plus one
// if it was written to standard error, both as varints, and its text.
//
// Invariant: what was written of data never changes, so that a view may read it while
// lines are added.
type block struct {
	data  []byte
	first int64 // position of the first line in the log
	count int64
	last  time.Time // instant of the last line
	base  time.Time // instant of the first
}

// line is one entry of a log: a line with its newline, or a part of one.
type line struct {
	at     time.Time
	stderr bool
	text   []byte
}

// room reports whether a line of n bytes belongs into b.
func (b *block) room(n int) bool {
	return b.count == 0 || len(b.data)+n+2*binary.MaxVarintLen64 <= blockSize
}

func (b *block) add(l line) {
	if b.count == 0 {
		b.base, b.last = l.at, l.at
	}
	size := uint64(len(l.text)) << 1
	if l.stderr {
		size++
	}
	b.data = grow(b.data, len(l.text)+2*binary.MaxVarintLen64)
	b.data = binary.AppendVarint(b.data, int64(l.at.Sub(b.last)))
	b.data = binary.AppendUvarint(b.data, size)
	b.data = append(b.data, l.text...)
	b.last = l.at
	b.count++
}

// grow makes room for n more bytes, and for half as much again as there is, but not
// beyond blockSize if it can be helped.
func grow(data []byte, n int) []byte {
	want := len(data) + n
	if want <= cap(data) {
		return data
	}
	return append(make([]byte, 0, max(want, min(len(data)+len(data)/2, blockSize))), data...)
}

// view is a part of a log as it was at one moment. Lines that the log has dropped
// since are still in it.
type view struct {
	blocks []block
	skip   int64 // lines of the first block that are not in it
	data   []byte
	at     time.Time
	left   int64 // lines of the present block
}

// size is what the blocks of v hold. Unit: bytes.
func (v *view) size() (all int) {
	for i := range v.blocks {
		all += len(v.blocks[i].data)
	}
	return all
}

// cut leaves only the first block, and returns the position behind it.
func (v *view) cut() int64 {
	v.blocks = v.blocks[:1]
	return v.blocks[0].first + v.blocks[0].count
}

// next returns the next line of v.
func (v *view) next() (l line, ok bool) {
	for {
		for v.left == 0 {
			if len(v.blocks) == 0 {
				return line{}, false
			}
			b := &v.blocks[0]
			v.data, v.at, v.left = b.data, b.base, b.count
			v.blocks = v.blocks[1:]
		}
		l = v.decode()
		if v.skip == 0 {
			return l, true
		}
		v.skip--
	}
}

func (v *view) decode() line {
	since, n := binary.Varint(v.data)
	v.data = v.data[n:]
	size, n := binary.Uvarint(v.data)
	v.data = v.data[n:]
	v.at = v.at.Add(time.Duration(since))
	text := v.data[: size>>1 : size>>1]
	v.data = v.data[size>>1:]
	v.left--
	return line{v.at, size&1 == 1, text}
}
