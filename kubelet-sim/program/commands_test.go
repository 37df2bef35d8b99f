package program

import (
	"bytes"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/applet"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// imageNames are those of which the table of images knows something, and one more.
func imageNames(t *testing.T) []string {
	names := cases(t, "image", func(f string) bool { return strings.HasPrefix(f, "find") })
	return append(names, "nginx:alpine", "curlimages/curl", "vish/stress", "busybox:1.28", "nobody/knows:1")
}

// TestEveryCommandOfAnImageIsThere: a file of an image that can be run leads to a program
// that somebody has written. A command that is listed and not there says "applet not
// found", which no real image does; of one that is not listed the shell says "not found",
// as it should.
func TestEveryCommandOfAnImageIsThere(t *testing.T) {
	names := imageNames(t)
	if len(names) < 30 || !slices.Contains(names, "busybox") {
		t.Fatalf("the table of images has %q: does this test still find its cases?", names)
	}
	catalog := NewCatalog()
	for _, ref := range names {
		root, err := catalog.Root(ref, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		dirs := []string{"/", "/bin", "/sbin", "/usr/bin", "/usr/sbin"}
		for _, p := range catalog.Image(ref).Programs {
			dirs = append(dirs, path.Dir(p.Path))
		}
		for _, dir := range dirs {
			entries, err := root.ReadDir(dir, vfs.User{})
			if err != nil {
				continue // an image without a shell has not all of them
			}
			for _, entry := range entries {
				if file := path.Join(dir, entry.Name()); !leadsSomewhere(t, root, file) {
					t.Errorf("%s: %s leads to no program: write it (kubelet-sim/program/applet), or take it off the image's list (kubelet-sim/program/image)", ref, file)
				}
			}
		}
	}
}

// leadsSomewhere reports whether file is no program, or one that somebody has written.
func leadsSomewhere(t *testing.T, root *vfs.FS, file string) bool {
	t.Helper()
	in, err := root.Stat(file, vfs.User{})
	if err != nil || in.IsDir() || root.Access(file, 1, vfs.User{}) != nil {
		return true
	}
	data, err := root.ReadFile(file, vfs.User{})
	if err != nil {
		t.Fatal(err)
	}
	head, end, _ := bytes.Cut(kernel.Executable("\x00"), []byte("\x00"))
	name, ok := bytes.CutPrefix(data, head)
	if !ok {
		return true
	}
	program := string(bytes.TrimSuffix(name, end))
	if called := path.Base(file); strings.HasPrefix(program, "busybox") && called != "busybox" {
		return slices.Contains([]string{"sh", "ash", "bash"}, called) || applet.Find(called) != nil
	}
	p := &Process{}
	return p.program(program) != nil
}
