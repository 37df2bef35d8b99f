package vfs

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// ledger is an Account with room for limit bytes.
type ledger struct{ held, limit int64 }

func (l *ledger) Hold(n int64) bool {
	if n > 0 && l.held+n > l.limit {
		return false
	}
	l.held += n
	return true
}

func (l *ledger) Force(n int64) { l.held += n }

// holds is what f's own nodes take, looked up one by one; open are files that were kept.
func holds(f *FS, open []*File) int64 {
	seen := map[*node]bool{}
	total := int64(0)
	add := func(n *node) {
		if n.frozen || seen[n] {
			return
		}
		seen[n] = true
		switch {
		case n.isDir() && n.origin != nil:
			total += nodeCost + entryCost*int64(len(n.origin.children))
		case n.isDir():
			total += nodeCost
		case n.shared:
			total += nodeCost
		default:
			total += nodeCost + n.size()
		}
	}
	var walk func(n *node)
	walk = func(n *node) {
		add(n)
		for _, e := range n.children {
			walk(e.node)
		}
	}
	walk(f.root)
	for _, h := range open {
		if h.kept != nil {
			add(h.kept)
		}
	}
	return total
}

func baseTree(t interface{ Fatal(...any) }) *FS {
	base := New("overlay", now())
	for i := range 4 {
		if err := base.WriteFile(fmt.Sprintf("/etc/%d", i), []byte("of the image"), 0o644, now()); err != nil {
			t.Fatal(err)
		}
	}
	base.Freeze()
	return base
}

// TestWhatIsChargedIsWhatIsHeld does random things to a file system: at each moment its
// account has paid for what its own files hold, those that are open and have no name any
// more too, and nothing is left when the file system is given up.
func TestWhatIsChargedIsWhatIsHeld(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f, l := baseTree(t).Derive(), &ledger{limit: 20_000}
		f.Charge(l)
		name := rapid.Custom(func(t *rapid.T) string { return fmt.Sprintf("/etc/%d", rapid.IntRange(0, 7).Draw(t, "file")) })
		var open []*File
		t.Repeat(map[string]func(*rapid.T){
			"open": func(t *rapid.T) {
				flag := []Flag{Read, Read | Write | Create, Write | Create | Truncate, Write | Append}[rapid.IntRange(0, 3).Draw(t, "flag")]
				if h, err := f.Open(name.Draw(t, "name"), flag, 0o644, User{}); err == nil {
					h.Keep()
					open = append(open, h)
				}
			},
			"write": func(t *rapid.T) {
				if len(open) > 0 {
					_, _ = open[rapid.IntRange(0, len(open)-1).Draw(t, "open")].Write(make([]byte, rapid.IntRange(0, 3000).Draw(t, "bytes")), now())
				}
			},
			"close": func(t *rapid.T) {
				if len(open) > 0 {
					open[0].Close()
					open = open[1:]
				}
			},
			"remove":  func(t *rapid.T) { _ = f.Remove(name.Draw(t, "name"), User{}) },
			"rename":  func(t *rapid.T) { _ = f.Rename(name.Draw(t, "old"), name.Draw(t, "new"), User{}) },
			"link":    func(t *rapid.T) { _ = f.Link(name.Draw(t, "old"), name.Draw(t, "new"), User{}) },
			"symlink": func(t *rapid.T) { _ = f.Symlink("somewhere else", name.Draw(t, "name"), User{}) },
			"mkdir":   func(t *rapid.T) { _ = f.Mkdir(name.Draw(t, "name"), 0o755, User{}) },
			"resize": func(t *rapid.T) {
				_ = f.Resize(name.Draw(t, "name"), int64(rapid.IntRange(0, 3000).Draw(t, "bytes")), User{})
			},
			"": func(t *rapid.T) {
				if want := holds(f, open); f.used != want || l.held != want {
					t.Fatalf("charged %d, accounted %d, held %d", l.held, f.used, want)
				}
			},
		})
		f.Release()
		if l.held != 0 {
			t.Fatalf("%d bytes stay charged", l.held)
		}
	})
}

func TestContentsTakeLittleMoreThanTheirSize(t *testing.T) {
	f := New("tmpfs", now())
	h, err := f.Open("/f", Write|Create, 0o644, User{})
	check(t, err)
	for range 10_000 {
		_, err := h.Write(make([]byte, 100), now())
		check(t, err)
		if size, room := len(h.n.data), cap(h.n.data); room > size+size/8+100 {
			t.Fatalf("%d bytes lie in %d", size, room)
		}
	}
	check(t, f.Resize("/f", 10, User{}))
	if room := cap(h.n.data); room > 20 {
		t.Errorf("10 bytes lie in %d", room)
	}
}

func TestAWriteInPlaceLeavesTheBaseAlone(t *testing.T) {
	base := baseTree(t)
	one, two := base.Derive(), base.Derive()
	h, err := one.Open("/etc/0", Write, 0, User{})
	check(t, err)
	_, err = h.Write([]byte("OF"), now())
	check(t, err)
	for f, want := range map[*FS]string{one: "OF the image", two: "of the image"} {
		if got, err := f.ReadFile("/etc/0", User{}); err != nil || string(got) != want {
			t.Errorf("reads %q, %v, want %q", got, err, want)
		}
	}
}

func TestADiskWithoutRoomIsFull(t *testing.T) {
	f, l := New("ext4", now()), &ledger{limit: 1000}
	f.Charge(l)
	if err := f.WriteFile("/big", make([]byte, 1000), 0o644, now()); err != ENOSPC {
		t.Errorf("error %v, want %v", err, ENOSPC)
	}
	check(t, f.WriteFile("/small", make([]byte, 100), 0o644, now()))
}
