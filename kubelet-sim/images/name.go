// Package images says what a node knows of an image by its name alone: how a runtime
// names it, its digest and its size.
//
// Invariant: nothing is fetched. What is made up is the same for an image of the same name
// in every run.
package images

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/pkg/util/parsers"
)

// Image is what the nodes know of an image name.
type Image struct {
	// Full is the name under which a runtime knows it, as container statuses
	// show it: docker.io/library/busybox:1.36.
	Full string
	// ID is the name by digest. The digest and the size, in bytes, are made
	// up, but the same for an image of the same name in every run.
	ID   string
	Size int64
	// Err says why the name is none.
	Err error
}

// Names remembers what ParseImageName says, which costs more than all else
// that a start does with the name.
type Names map[string]*Image

// Get returns what is known of a name.
func (m Names) Get(name string) *Image {
	if im, ok := m[name]; ok {
		return im
	}
	if len(m) > KnownMax {
		clear(m)
	}
	im := Parse(name)
	m[name] = im
	return im
}

// KnownMax bounds what is remembered of images; when it is reached, all is forgotten.
const KnownMax = 10_000

// Parse is Get without a memory.
func Parse(name string) *Image {
	repo, tag, digest, err := parsers.ParseImageName(name)
	switch {
	case err != nil:
		return &Image{Full: name, ID: name, Err: err}
	case digest != "":
		full := repo + "@" + digest
		return &Image{Full: full, ID: full, Size: sizeOf(full)}
	}
	full := repo + ":" + tag
	sum := sha256.Sum256([]byte(full))
	return &Image{Full: full, ID: repo + "@sha256:" + hex.EncodeToString(sum[:]), Size: sizeOf(full)}
}

func sizeOf(full string) int64 {
	const smallest, largest = 2 << 20, 80 << 20
	sum := sha256.Sum256([]byte("size of " + full))
	return smallest + int64(binary.LittleEndian.Uint64(sum[:8])%(largest-smallest))
}

// List returns the images of a node as its status shows them, the largest first. full
// are their names, as a runtime knows them.
func (m Names) List(full map[string]bool) []corev1.ContainerImage {
	list := make([]corev1.ContainerImage, 0, len(full))
	for name := range full {
		list = append(list, corev1.ContainerImage{Names: []string{m.Get(name).ID, name}, SizeBytes: sizeOf(name)})
	}
	slices.SortFunc(list, func(a, b corev1.ContainerImage) int {
		if a.SizeBytes != b.SizeBytes {
			return int(b.SizeBytes - a.SizeBytes)
		}
		return strings.Compare(a.Names[0], b.Names[0])
	})
	return list[:min(len(list), shownMax)]
}

// shownMax bounds the list. Source: nodeStatusMaxImages in k8s.io/kubernetes
// pkg/kubelet/apis/config/v1beta1 v1.37.2.
const shownMax = 50
