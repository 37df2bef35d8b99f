package lifecycle

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"

	"k8s.io/kubernetes/pkg/util/parsers"
)

// pullMin and pullMax bound the time that a first pull takes, recheckMin and
// recheckMax that of asking the registry for an image that is there already.
// Unit: virtual time.
const (
	pullMin, pullMax       = 400 * time.Millisecond, 1400 * time.Millisecond
	recheckMin, recheckMax = 150 * time.Millisecond, 300 * time.Millisecond
)

// fullImageName is the name under which a runtime knows an image, as container
// statuses show it: docker.io/library/busybox:1.36.
func fullImageName(image string) string {
	repo, tag, digest, err := parsers.ParseImageName(image)
	switch {
	case err != nil:
		return image
	case digest != "" && !strings.Contains(image, ":"+tag+"@"):
		return repo + "@" + digest
	}
	return repo + ":" + tag
}

// imageID is the image's name by digest. The digest is made up, but the same
// for an image of the same name in every run.
func imageID(full string) string {
	if strings.Contains(full, "@sha256:") {
		return full
	}
	repo := full
	if i := strings.LastIndexByte(full, ':'); i > strings.LastIndexByte(full, '/') {
		repo = full[:i]
	}
	sum := sha256.Sum256([]byte(full))
	return repo + "@sha256:" + hex.EncodeToString(sum[:])
}

// imageSize is made up likewise. Unit: bytes.
func imageSize(full string) int64 {
	const smallest, largest = 2 << 20, 80 << 20
	sum := sha256.Sum256([]byte("size of " + full))
	return smallest + int64(binary.LittleEndian.Uint64(sum[:8])%(largest-smallest))
}
