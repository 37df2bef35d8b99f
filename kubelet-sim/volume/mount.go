package volume

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	volumevalidation "k8s.io/kubernetes/pkg/volume/validation"

	"github.com/kubesim-dev/kubesim/kubelet-sim/environment"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// Mount puts the volumes that a container mounts into its root. vars are the variables of its
// environment.
func (s Volumes) Mount(root *vfs.FS, c *corev1.Container, vars map[string]string, now time.Time) error {
	for i := range c.VolumeMounts {
		m := &c.VolumeMounts[i]
		volume, ok := s[m.Name]
		if !ok {
			return fmt.Errorf("volume %q of mount %q is not there", m.Name, m.MountPath)
		}
		if err := mount(root, volume, c.Name, m, vars, now); err != nil {
			return err
		}
	}
	return nil
}

// mount puts one volume, or the subPath of one, into the root of a container.
// Source: makeMounts in k8s.io/kubernetes pkg/kubelet v1.37.2.
func mount(root *vfs.FS, v *volumeFS, container string, m *corev1.VolumeMount, vars map[string]string, now time.Time) error {
	at := m.MountPath
	if !strings.HasPrefix(at, "/") {
		at = "/" + at
	}
	sub, err := subPath(m, vars)
	if err != nil {
		return err
	}
	if v.build != nil && sub == "" {
		return root.MountGenerated(at, v.payload.fsType, v.get, now)
	}
	volume := path.Join("/", v.sub)
	inside, within := path.Join(volume, sub), v.get()
	if sub != "" {
		if err := makeSubPath(within, volume, inside, now); err != nil {
			return fmt.Errorf("failed to create subPath directory for volumeMount %q of container %q", m.Name, container)
		}
	}
	return root.Mount(at, within, inside, m.ReadOnly || v.readOnly, now)
}

// subPath is the part of the volume that is mounted, empty for all of it.
func subPath(m *corev1.VolumeMount, vars map[string]string) (string, error) {
	sub := m.SubPath
	if m.SubPathExpr != "" {
		var err error
		if sub, err = environment.ExpandSubPath(m.SubPathExpr, vars); err != nil {
			return "", err
		}
	}
	if path.IsAbs(sub) {
		return "", fmt.Errorf("error SubPath `%s` must not be an absolute path", sub)
	}
	if err := volumevalidation.ValidatePathNoBacksteps(sub); err != nil {
		return "", fmt.Errorf("unable to provision SubPath `%s`: %w", sub, err)
	}
	return sub, nil
}

// makeSubPath makes a directory that is missing in a volume, and those above it,
// with the mode of the volume's root.
func makeSubPath(within *vfs.FS, volume, name string, now time.Time) error {
	root := vfs.User{Now: now}
	if _, err := within.Stat(name, root); !errors.Is(err, fs.ErrNotExist) {
		return nil // it is there, or Mount says what is wrong with it
	}
	info, err := within.Stat(volume, root)
	if err != nil {
		return err
	}
	return within.MkdirAll(name, info.Mode()&^fs.ModeType, root)
}
