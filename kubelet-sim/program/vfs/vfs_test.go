package vfs

import (
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func now() time.Time { return time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC) }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, f *FS, dir string) []string {
	t.Helper()
	list, err := f.ReadDir(dir, User{})
	check(t, err)
	var out []string
	for _, in := range list {
		out = append(out, in.Name())
	}
	return out
}

func TestADerivedTreeLeavesItsBaseAlone(t *testing.T) {
	base := New("overlay", now())
	check(t, base.WriteFile("/etc/a", []byte("base"), 0o644, now()))
	base.Freeze()
	one, two := base.Derive(), base.Derive()
	before, err := one.Open("/etc/a", Read, 0, User{})
	check(t, err)
	check(t, one.WriteFile("/etc/a", []byte("one"), 0o644, now()))
	check(t, one.WriteFile("/etc/b", nil, 0o644, now()))
	got, err := two.ReadFile("/etc/a", User{})
	check(t, err)
	if string(got) != "base" {
		t.Errorf("the other tree has %q", got)
	}
	if diff := cmp.Diff([]string{"a"}, names(t, two, "/etc")); diff != "" {
		t.Errorf("the other tree (-want +got):\n%s", diff)
	}
	seen, err := io.ReadAll(before)
	check(t, err)
	if string(seen) != "one" {
		t.Errorf("a file opened before the write reads %q, want the new contents", seen)
	}
}

func TestAMountIsShared(t *testing.T) {
	volume := New("tmpfs", now())
	one, two := New("overlay", now()), New("overlay", now())
	check(t, one.Mount("/data", volume, "/", false, now()))
	check(t, two.Mount("/mnt/data", volume, "/", true, now()))
	check(t, one.WriteFile("/data/f", []byte("x"), 0o644, now()))
	got, err := two.ReadFile("/mnt/data/f", User{})
	check(t, err)
	if string(got) != "x" {
		t.Errorf("the other container reads %q", got)
	}
	if _, err := two.Open("/mnt/data/g", Write|Create, 0o644, User{}); err != EROFS {
		t.Errorf("a write to a read-only mount: %v, want %v", err, EROFS)
	}
	if _, err := one.Open("/data/g", Write|Create, 0o644, User{ReadOnlyRoot: true}); err != nil {
		t.Errorf("a write to a mount of a read-only root: %v", err)
	}
	if err := one.Rename("/data/f", "/f", User{}); err != EXDEV {
		t.Errorf("rename out of a mount: %v, want %v", err, EXDEV)
	}
	if err := one.Remove("/data", User{}); err != EBUSY {
		t.Errorf("remove of a mount: %v, want %v", err, EBUSY)
	}
}

func TestWriteAtomicReplacesAllFiles(t *testing.T) {
	v := New("tmpfs", now())
	check(t, v.WriteAtomic([]VolumeFile{{Path: "a", Data: []byte("1"), Mode: 0o644}, {Path: "d/b", Data: []byte("2"), Mode: 0o400}}, now()))
	check(t, v.WriteAtomic([]VolumeFile{{Path: "a", Data: []byte("3"), Mode: 0o644}}, now().Add(time.Minute)))
	if diff := cmp.Diff([]string{"..2025_01_01_12_01_00.000000000", "..data", "a"}, names(t, v, "/")); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	got, err := v.ReadFile("/a", User{})
	check(t, err)
	if string(got) != "3" {
		t.Errorf("a reads %q", got)
	}
}

func TestPermissions(t *testing.T) {
	f := New("overlay", now())
	check(t, f.WriteFile("/secret/key", []byte("k"), 0o600, now()))
	check(t, f.Chmod("/secret", 0o750, User{}))
	check(t, f.Chown("/secret", 0, 2000, User{}))
	for name, tc := range map[string]struct {
		u    User
		want error
	}{
		"root reads":                    {User{}, nil},
		"another user cannot enter":     {User{UID: 1000, GID: 1000}, EACCES},
		"a group member cannot read it": {User{UID: 1000, Groups: []uint32{2000}}, EACCES},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := f.ReadFile("/secret/key", tc.u); err != tc.want {
				t.Errorf("error %v, want %v", err, tc.want)
			}
		})
	}
}

func TestPathsStayInTheTree(t *testing.T) {
	f := New("overlay", now())
	check(t, f.WriteFile("/etc/a", []byte("x"), 0o644, now()))
	check(t, f.Symlink("../../../../etc", "/up", User{}))
	check(t, f.Symlink("loop", "/loop", User{}))
	for name, want := range map[string]error{
		"/../../etc/a": nil, "/up/a": nil, "/etc/../etc/./a": nil, "/etc/a/": ENOTDIR, "/etc/a/b": ENOTDIR, "/loop": ELOOP, "/none/..": ENOENT,
	} {
		if _, err := f.Stat(name, User{}); err != want {
			t.Errorf("stat %s: %v, want %v", name, err, want)
		}
	}
}

func TestSizeIsBounded(t *testing.T) {
	f := New("tmpfs", now())
	f.Limit = 10_000
	if err := f.WriteFile("/big", make([]byte, 9_900), 0o644, now()); err != ENOSPC {
		t.Errorf("error %v, want %v", err, ENOSPC)
	}
	check(t, f.WriteFile("/small", make([]byte, 9_000), 0o644, now()))
	check(t, f.Remove("/small", User{}))
	check(t, f.WriteFile("/again", make([]byte, 9_000), 0o644, now()))
}
