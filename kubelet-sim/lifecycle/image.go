package lifecycle

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"

	"k8s.io/kubernetes/pkg/util/parsers"
)

// pullLow and pullHigh bound the time that a first pull takes, recheckLow and
// recheckHigh that of asking the registry for an image that is there already.
// Unit: virtual time.
const (
	pullLow, pullHigh       = 400 * time.Millisecond, 1400 * time.Millisecond
	recheckLow, recheckHigh = 150 * time.Millisecond, 300 * time.Millisecond
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
