package volume

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// hostPath returns a place in the node's own file system, which holds little
// but what Pods put there. Source: checkTypeInternal in k8s.io/kubernetes
// pkg/volume/hostpath v1.37.2.
func hostPath(host *vfs.FS, source *corev1.HostPathVolumeSource, now time.Time) (*volumeFS, error) {
	root, at := vfs.User{Now: now}, vfs.Clean(source.Path)
	want := corev1.HostPathUnset
	if source.Type != nil {
		want = *source.Type
	}
	info, err := host.Stat(at, root)
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case missing && (want == corev1.HostPathUnset || want == corev1.HostPathDirectoryOrCreate):
		err = host.MkdirAll(at, 0o755, root)
	case missing && want == corev1.HostPathFileOrCreate:
		if _, err = host.Stat(path.Dir(at), root); err == nil {
			err = host.WriteFile(at, nil, 0o644, now)
		}
	case missing:
		err = fmt.Errorf("hostPath type check failed, %s is not a %s, unable to determine its type: path %q does not exist", source.Path, typeName(want), source.Path)
	case err == nil:
		err = checkHostType(source.Path, want, info)
	}
	if err != nil {
		return nil, err
	}
	return &volumeFS{fs: host, sub: at}, nil
}

func checkHostType(name string, want corev1.HostPathType, info fs.FileInfo) error {
	is := corev1.HostPathFile
	if info.IsDir() {
		is = corev1.HostPathDirectory
	}
	switch want {
	case corev1.HostPathUnset, is:
		return nil
	case corev1.HostPathDirectoryOrCreate:
		if is == corev1.HostPathDirectory {
			return nil
		}
	case corev1.HostPathFileOrCreate:
		if is == corev1.HostPathFile {
			return nil
		}
	}
	return fmt.Errorf("hostPath type check failed: %s is not a %s, it's a %s", name, typeName(want), is)
}

// typeName is how checkTypeInternal calls a type.
func typeName(t corev1.HostPathType) string {
	switch t {
	case corev1.HostPathDirectory, corev1.HostPathDirectoryOrCreate:
		return "directory"
	case corev1.HostPathFile, corev1.HostPathFileOrCreate:
		return "file"
	case corev1.HostPathSocket:
		return "socket file"
	case corev1.HostPathCharDev:
		return "character device"
	case corev1.HostPathBlockDev:
		return "block device"
	}
	return string(t)
}
