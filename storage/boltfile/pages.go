package boltfile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// Layout of bbolt's pages. Source: internal/common in go.etcd.io/bbolt v1.5.0.
// A page begins with its number (8 bytes), its flags (2), its count (2) and how
// many pages it goes on for (4). Then come the elements, of 16 bytes each: of a
// branch the place of the key (4), its length (4) and the child's number (8); of
// a leaf its flags (4), the place of the key (4), the lengths of key and value
// (4, 4). A place counts from its own element.
const (
	boltPageHeader = 16
	boltElement    = 16
	boltBranch     = 0x01
	boltLeaf       = 0x02
	boltFreelist   = 0x10
	boltBucketFlag = 0x01
	// boltBucketHeader begins a bucket's value: its root (8), a sequence (8); an
	// inline bucket's root is 0 and its only page follows.
	boltBucketHeader = 16
)

// pageWalk verifies the structure of a bbolt file by reading it, not through its memory
// map. In the map, a damaged page causes a fault, an endless loop or a huge allocation,
// in part on goroutines of bbolt's own, where nothing can recover it. Here it is an
// error. After Pages has found nothing, bbolt can read the file.
type pageWalk struct {
	f        io.ReaderAt
	meta     Meta
	used     []bool // by page number
	buf      []byte
	problems []error
}

// Pages returns what is wrong with the pages of a file whose newest meta
// page is m: pages that are not what they should be, used twice or lost, and
// keys out of order.
func Pages(f io.ReaderAt, m Meta) []error {
	w := &pageWalk{f: f, meta: m, used: make([]bool, m.pages)}
	w.used[0], w.used[1] = true, true
	if m.freelist != boltNoFreelist {
		w.freelist()
	}
	w.node(m.root, nil, nil)
	if m.freelist != boltNoFreelist && len(w.problems) == 0 {
		for id, used := range w.used {
			if !used {
				w.wrong("page %d is neither used nor free", id)
			}
		}
	}
	return w.problems
}

func (w *pageWalk) wrong(format string, args ...any) {
	if len(w.problems) < ProblemsMax {
		w.problems = append(w.problems, fmt.Errorf(format+": %w", append(args, ErrDamaged)...))
	}
}

// take marks n pages from id on as used.
func (w *pageWalk) take(id, n uint64) bool {
	if id < 2 || id >= w.meta.pages || n > w.meta.pages-id {
		w.wrong("page %d of %d pages is beyond the end, at %d", id, n, w.meta.pages)
		return false
	}
	for i := id; i < id+n; i++ {
		if w.used[i] {
			w.wrong("page %d is used twice", i)
			return false
		}
		w.used[i] = true
	}
	return true
}

// read returns page id and the pages on which it continues, or nil. The result is valid
// until the next call.
func (w *pageWalk) read(id uint64) []byte {
	var head [boltPageHeader]byte
	if id >= w.meta.pages {
		w.wrong("page %d is beyond the end, at %d", id, w.meta.pages)
		return nil
	}
	if _, err := w.f.ReadAt(head[:], int64(id*w.meta.pageSize)); err != nil {
		w.wrong("page %d: %w", id, err)
		return nil
	}
	e := binary.NativeEndian
	if self := e.Uint64(head[:]); self != id {
		w.wrong("page %d says that it is page %d", id, self)
		return nil
	}
	n := 1 + uint64(e.Uint32(head[12:]))
	if !w.take(id, n) {
		return nil
	}
	if size := n * w.meta.pageSize; uint64(cap(w.buf)) < size {
		w.buf = make([]byte, size)
	}
	w.buf = w.buf[:n*w.meta.pageSize]
	if _, err := w.f.ReadAt(w.buf, int64(id*w.meta.pageSize)); err != nil {
		w.wrong("page %d: %w", id, err)
		return nil
	}
	return w.buf
}

// freelist verifies that each free page is listed once.
func (w *pageWalk) freelist() {
	page := w.read(w.meta.freelist)
	if page == nil {
		return
	}
	e := binary.NativeEndian
	if flags := e.Uint16(page[8:]); flags != boltFreelist {
		w.wrong("page %d: want a freelist, it has flags %#x", w.meta.freelist, flags)
		return
	}
	count, ids := uint64(e.Uint16(page[10:])), page[boltPageHeader:]
	if count == 0xFFFF { // the true count is the first entry
		count, ids = e.Uint64(ids), ids[8:]
	}
	if count > uint64(len(ids)/8) {
		w.wrong("page %d: a freelist of %d bytes with %d pages", w.meta.freelist, len(page), count)
		return
	}
	for i := range count {
		w.take(e.Uint64(ids[8*i:]), 1)
	}
}

// node verifies the tree under page id, whose keys must be at least lo and, if
// hi is not nil, below it.
func (w *pageWalk) node(id uint64, lo, hi []byte) {
	page := w.read(id)
	if page == nil {
		return
	}
	switch flags := binary.NativeEndian.Uint16(page[8:]); flags {
	case boltBranch:
		w.branch(id, bytes.Clone(page), lo, hi)
	case boltLeaf:
		w.leaf(id, page, lo, hi)
	default:
		w.wrong("page %d: want a branch or a leaf, it has flags %#x", id, flags)
	}
}

func (w *pageWalk) branch(id uint64, page, lo, hi []byte) {
	e := binary.NativeEndian
	keys, ok := w.keys(id, page, lo, hi, func(el []byte) (pos, ksize, vsize uint32) {
		return e.Uint32(el), e.Uint32(el[4:]), 0
	})
	if ok && len(keys) == 0 {
		w.wrong("page %d is an empty branch", id)
	}
	for i, key := range keys {
		next := hi
		if i+1 < len(keys) {
			next = keys[i+1]
		}
		w.node(e.Uint64(page[boltPageHeader+boltElement*i+8:]), key, next)
	}
}

func (w *pageWalk) leaf(id uint64, page, lo, hi []byte) {
	e := binary.NativeEndian
	keys, _ := w.keys(id, page, lo, hi, func(el []byte) (pos, ksize, vsize uint32) {
		return e.Uint32(el[4:]), e.Uint32(el[8:]), e.Uint32(el[12:])
	})
	var buckets [][]byte
	for i, key := range keys {
		el := page[boltPageHeader+boltElement*i:]
		switch flags := e.Uint32(el); {
		case flags == 0:
		case flags != boltBucketFlag || e.Uint32(el[12:]) < boltBucketHeader:
			w.wrong("page %d: element %d has flags %#x and a value of %d bytes", id, i, flags, e.Uint32(el[12:]))
		default:
			place := e.Uint32(el[4:]) + uint32(len(key))
			buckets = append(buckets, bytes.Clone(el[place:place+e.Uint32(el[12:])]))
		}
	}
	for _, b := range buckets { // page is gone with the next read
		if root := e.Uint64(b); root != 0 {
			w.node(root, nil, nil)
		} else {
			w.inline(id, b[boltBucketHeader:])
		}
	}
}

// inline verifies the page of a bucket that is a value in page id.
func (w *pageWalk) inline(id uint64, page []byte) {
	if len(page) < boltPageHeader || binary.NativeEndian.Uint16(page[8:]) != boltLeaf {
		w.wrong("page %d: a bucket inside it is no leaf", id)
		return
	}
	w.leaf(id, page, nil, nil)
}

// keys returns the keys of a page, which alias it, if all lie within the page
// and their range and are in order.
func (w *pageWalk) keys(id uint64, page, lo, hi []byte, place func(el []byte) (pos, ksize, vsize uint32)) ([][]byte, bool) {
	n := int(binary.NativeEndian.Uint16(page[10:]))
	if boltPageHeader+n*boltElement > len(page) {
		w.wrong("page %d: %d elements in %d bytes", id, n, len(page))
		return nil, false
	}
	keys := make([][]byte, 0, n)
	for i := range n {
		el := page[boltPageHeader+boltElement*i:]
		pos, ksize, vsize := place(el)
		if uint64(pos)+uint64(ksize)+uint64(vsize) > uint64(len(el)) || ksize == 0 || int(pos) < (n-i)*boltElement {
			w.wrong("page %d: element %d is not within the page", id, i)
			return nil, false
		}
		key := el[pos : pos+ksize]
		if bytes.Compare(key, lo) < 0 || (hi != nil && bytes.Compare(key, hi) >= 0) || (i > 0 && bytes.Equal(key, lo)) {
			w.wrong("page %d: key %q is out of order", id, key)
			return nil, false
		}
		lo = key
		keys = append(keys, key)
	}
	return keys, true
}
