package images

import (
	"fmt"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	digest := "sha256:" + strings.Repeat("0a", 32)
	for name, want := range map[string]struct{ full, id string }{
		"busybox":                         {"docker.io/library/busybox:latest", "docker.io/library/busybox@sha256:"},
		"busybox:1.36":                    {"docker.io/library/busybox:1.36", "docker.io/library/busybox@sha256:"},
		"bitnami/redis":                   {"docker.io/bitnami/redis:latest", "docker.io/bitnami/redis@sha256:"},
		"registry.k8s.io/pause:3.10":      {"registry.k8s.io/pause:3.10", "registry.k8s.io/pause@sha256:"},
		"localhost:5000/a/b":              {"localhost:5000/a/b:latest", "localhost:5000/a/b@sha256:"},
		"busybox@" + digest:               {"docker.io/library/busybox@" + digest, "docker.io/library/busybox@" + digest},
		"registry.k8s.io/pause@" + digest: {"registry.k8s.io/pause@" + digest, "registry.k8s.io/pause@" + digest},
	} {
		im := Parse(name)
		if im.Err != nil || im.Full != want.full || !strings.HasPrefix(im.ID, want.id) {
			t.Errorf("%s: %+v, want %+v", name, im, want)
		}
		if im.Size < 2<<20 || im.Size > 80<<20 {
			t.Errorf("%s: %d bytes", name, im.Size)
		}
		if again := Parse(name); *again != *im {
			t.Errorf("%s: first %+v, then %+v", name, im, again)
		}
	}
	for name, want := range map[string]string{
		"":             `couldn't parse image name "": invalid reference format`,
		"Busybox":      `couldn't parse image name "Busybox": invalid reference format: repository name (library/Busybox) must be lowercase`,
		"busybox:a b":  `couldn't parse image name "busybox:a b": invalid reference format`,
		"busybox@sha1": `couldn't parse image name "busybox@sha1": invalid reference format`,
	} {
		if im := Parse(name); im.Err == nil || im.Err.Error() != want || im.Full != name {
			t.Errorf("%q: %+v, want the error %s", name, im, want)
		}
	}
}

// TestTheSameImageHasOneID: whatever short name a Pod uses.
func TestTheSameImageHasOneID(t *testing.T) {
	names := Names{}
	one, other := names.Get("busybox"), names.Get("docker.io/library/busybox:latest")
	if one.ID != other.ID || one.Size != other.Size {
		t.Errorf("%+v and %+v", one, other)
	}
	if one.ID == names.Get("busybox:1.36").ID {
		t.Error("two tags have one digest")
	}
	if names.Get("busybox") != one {
		t.Error("a name is parsed again")
	}
}

// TestNamesAreBounded: a Pod with an image of a new name costs nothing that stays.
func TestNamesAreBounded(t *testing.T) {
	names := Names{}
	for i := range 2 * KnownMax {
		names.Get(fmt.Sprint("image-", i))
	}
	if len(names) > KnownMax+1 {
		t.Errorf("%d names are remembered", len(names))
	}
}

// TestList: the largest image first, at most 50, each with both of its names.
func TestList(t *testing.T) {
	names, full := Names{}, map[string]bool{}
	for i := range 60 {
		full[names.Get(fmt.Sprint("image-", i)).Full] = true
	}
	list := names.List(full)
	if len(list) != shownMax {
		t.Fatalf("%d images, want %d", len(list), shownMax)
	}
	for i, im := range list {
		if len(im.Names) != 2 || im.Names[0] != names.Get(im.Names[1]).ID {
			t.Errorf("names %q", im.Names)
		}
		if i > 0 && im.SizeBytes > list[i-1].SizeBytes {
			t.Errorf("%d bytes come after %d", im.SizeBytes, list[i-1].SizeBytes)
		}
		delete(full, im.Names[1])
	}
	for name := range full {
		if size := names.Get(name).Size; size > list[len(list)-1].SizeBytes {
			t.Errorf("%s of %d bytes is left out, one of %d is not", name, size, list[len(list)-1].SizeBytes)
		}
	}
	if got := names.List(nil); len(got) != 0 {
		t.Errorf("a node without images has %v", got)
	}
}
