package stream

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"
)

// ledger is an account with room for limit bytes; 0 is no limit.
type ledger struct{ held, limit int64 }

func (l *ledger) Hold(n int64) bool {
	if n > 0 && l.limit > 0 && l.held+n > l.limit {
		return false
	}
	l.held += n
	return true
}

// room is what the blocks of a log take. Unit: bytes.
func room(l *Log) (all int) {
	for _, b := range l.blocks {
		all += cap(b.data)
	}
	return all
}

func TestALogTakesLittleMoreThanItsText(t *testing.T) {
	for name, tc := range map[string]struct {
		text       string
		lines, max int // bytes a line
	}{
		"short lines": {"y\n", 300_000, 5},
		"long lines":  {strings.Repeat("x", 200) + "\n", 50_000, 215},
		"one line":    {"hello\n", 1, 64},
	} {
		t.Run(name, func(t *testing.T) {
			l := &Log{}
			for i := range tc.lines {
				l.Append(noon.Add(time.Duration(i/1000)*time.Second), false, []byte(tc.text))
			}
			if got := room(l); got > tc.max*tc.lines {
				t.Errorf("%d lines take %d bytes, want %d at most", tc.lines, got, tc.max*tc.lines)
			}
		})
	}
}

func TestALogIsChargedAsLongAsTheStoreHasIt(t *testing.T) {
	for name, forget := range map[string]func(*Store){
		"its Pod is gone":               func(s *Store) { s.Forget("ns", "p", "") },
		"it is dropped":                 func(s *Store) { s.DropLog("ns", "p", "1") },
		"all of the Pod are":            func(s *Store) { s.DropLogs("ns", "p") },
		"another begins in its place":   func(s *Store) { s.NewLog("ns", "p", "1", nil) },
		"another Pod of the name comes": func(s *Store) { p := running(); p.UID = "2"; s.SetPod(p) },
	} {
		t.Run(name, func(t *testing.T) {
			store, account := &Store{}, &ledger{}
			store.SetPod(running())
			l := store.NewLog("ns", "p", "1", account)
			l.Append(noon, false, []byte("a short line\n"))
			if account.held != 0 {
				t.Errorf("%d bytes are charged for a short log", account.held)
			}
			for range 40_000_000 / 1000 {
				l.Append(noon, false, bytes.Repeat([]byte("x"), 1000))
				if off := int64(l.held+len(l.partial[0])) - account.held; off < 0 || off >= page {
					t.Fatalf("charged %d, held %d", account.held, l.held)
				}
			}
			l.End(noon)
			forget(store)
			if account.held != 0 {
				t.Errorf("%d bytes are still charged", account.held)
			}
		})
	}
}

func TestALogWithoutRoomLosesItsOldLines(t *testing.T) {
	store, account := &Store{}, &ledger{limit: 100 << 10}
	store.SetPod(running())
	l := store.NewLog("ns", "p", "1", account)
	for range 10_000 {
		l.Append(noon, false, []byte(strings.Repeat("x", 99)+"\n"))
		if l.held > 100<<10+page {
			t.Fatalf("the log holds %d bytes", l.held)
		}
	}
	l.Append(noon, false, []byte("last\n"))
	if got := l.Tail(1, 100); got != "last\n" {
		t.Errorf("the last line reads %q", got)
	}
}

// TestReadersShareALog lets many clients read one log that do not take what they get.
func TestReadersShareALog(t *testing.T) {
	l := &Log{}
	for range 100_000 {
		l.Append(noon, false, []byte("a line of thirty-two characters\n"))
	}
	for range 10 {
		ctx, cancel := context.WithCancel(t.Context())
		r := newReader(ctx, cancel, l, nil, selection{tail: -1, limit: -1, follow: true}, noon)
		if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		if got := cap(r.buf); got > 2*fillMax {
			t.Errorf("a reader holds %d bytes of its own", got)
		}
		cancel()
	}
}

// TestASlowClientHoldsWhatItIsOwed lets a program write a byte at a time for a client that
// does not read.
func TestASlowClientHoldsWhatItIsOwed(t *testing.T) {
	o := &Output{}
	for !o.Full() {
		o.Put(false, []byte("y"))
	}
	if got := len(o.parts); got > 2*outputMax/partMax {
		t.Errorf("%d bytes lie in %d parts", o.size, got)
	}
	both := &Output{}
	for i := 0; !both.Full(); i++ {
		both.Put(i%2 == 0, []byte("y"))
	}
	if got := len(both.parts); got > partsMax {
		t.Errorf("two streams that take turns lie in %d parts", got)
	}
	text, _, _ := o.Now()
	if text != strings.Repeat("y", outputMax) {
		t.Errorf("%d bytes came back", len(text))
	}
}

// TestClientsShareBuffers lets more clients than there is room for read logs, and attach to
// containers, and take nothing.
func TestClientsShareBuffers(t *testing.T) {
	l, buffers := &Log{}, NewBuffers(8<<20)
	want := 0
	for range 100_000 {
		l.Append(noon, false, []byte("a line of thirty-two characters\n"))
		want += 32
	}
	var readers []*reader
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		r := newReader(ctx, cancel, l, buffers, selection{tail: -1, limit: -1}, noon)
		if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		readers = append(readers, r)
	}
	if got := buffers.Held(); got > 8<<20+20*blockSize {
		t.Errorf("%d bytes are held for clients", got)
	}
	for i, r := range readers {
		rest, err := io.ReadAll(r)
		if err != nil || len(rest) != want-10 {
			t.Errorf("reader %d reads %d bytes, %v, want %d", i, len(rest), err, want-10)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	var outputs []*Output
	for range 20 {
		o := NewOutput(buffers)
		for range 1 << 10 {
			o.Put(false, bytes.Repeat([]byte("x"), 1<<10))
		}
		outputs = append(outputs, o)
	}
	if got := buffers.Held(); got > 8<<20+20*ownMax {
		t.Errorf("%d bytes are held for clients", got)
	}
	for _, o := range outputs {
		o.Drop()
	}
	if got := buffers.Held(); got != 0 {
		t.Errorf("%d bytes are held when all clients are gone", got)
	}
}
