package lifecycle

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/pkg/util/parsers"
)

// image is what the nodes know of an image name.
type image struct {
	// full is the name under which a runtime knows it, as container statuses
	// show it: docker.io/library/busybox:1.36.
	full string
	// id is the name by digest. The digest and the size, in bytes, are made
	// up, but the same for an image of the same name in every run.
	id   string
	size int64
	// err says why the name is none.
	err error
}

// images remembers what ParseImageName says, which costs more than all else
// that a start does with the name.
type images map[string]*image

func (m images) get(name string) *image {
	if im, ok := m[name]; ok {
		return im
	}
	if len(m) > imagesMax {
		clear(m)
	}
	im := parseImage(name)
	m[name] = im
	return im
}

// imagesMax bounds what images remembers.
const imagesMax = 10_000

func parseImage(name string) *image {
	repo, tag, digest, err := parsers.ParseImageName(name)
	switch {
	case err != nil:
		return &image{full: name, id: name, err: err}
	case digest != "":
		full := repo + "@" + digest
		return &image{full: full, id: full, size: imageSize(full)}
	}
	full := repo + ":" + tag
	sum := sha256.Sum256([]byte(full))
	return &image{full: full, id: repo + "@sha256:" + hex.EncodeToString(sum[:]), size: imageSize(full)}
}

func imageSize(full string) int64 {
	const smallest, largest = 2 << 20, 80 << 20
	sum := sha256.Sum256([]byte("size of " + full))
	return smallest + int64(binary.LittleEndian.Uint64(sum[:8])%(largest-smallest))
}

// list returns the images of a node as its status shows them, the largest first. full
// are their names, as a runtime knows them.
func (m images) list(full map[string]bool) []corev1.ContainerImage {
	list := make([]corev1.ContainerImage, 0, len(full))
	for name := range full {
		list = append(list, corev1.ContainerImage{Names: []string{m.get(name).id, name}, SizeBytes: imageSize(name)})
	}
	slices.SortFunc(list, func(a, b corev1.ContainerImage) int {
		if a.SizeBytes != b.SizeBytes {
			return int(b.SizeBytes - a.SizeBytes)
		}
		return strings.Compare(a.Names[0], b.Names[0])
	})
	return list[:min(len(list), imagesShown)]
}

// imagesShown bounds the list. Source: nodeStatusMaxImages in k8s.io/kubernetes
// pkg/kubelet/apis/config/v1beta1 v1.37.2.
const imagesShown = 50
