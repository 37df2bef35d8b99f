package volume

import (
	"fmt"
	"io/fs"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stats"
)

// Volumes are the volumes of one Pod, by name.
type Volumes map[string]*volumeFS

// volumeFS is one volume. Its contents are made when somebody first looks at
// them: most programs never read their service account's token.
type volumeFS struct {
	fs    *vfs.FS
	build func() *vfs.FS
	// sub is the volume's root within fs.
	sub string
	// readOnly: nobody may write to it.
	readOnly bool
	// payload is what the files are made from, nil if programs write them.
	payload *payload
	// account pays for it, nil if it is not the Pod's own; charged is what for payload.
	account *stats.Part
	charged int64
}

func (v *volumeFS) get() *vfs.FS {
	if v.fs == nil && v.build != nil {
		v.fs, v.build = v.build(), nil
		v.charge(v.account)
	}
	return v.fs
}

// charge makes account pay for what the volume holds; nil for nobody.
func (v *volumeFS) charge(account *stats.Part) {
	if v.account != nil {
		v.account.Hold(-v.charged)
	}
	v.account, v.charged = account, 0
	switch {
	case account == nil:
		if v.fs != nil {
			v.fs.Release()
		}
		return
	case v.fs != nil:
		v.fs.Charge(account)
	}
	if v.payload != nil {
		for _, file := range v.payload.files {
			v.charged += int64(len(file.Data))
		}
		account.Force(v.charged)
	}
}

// Drop gives up what the Pod's own volumes hold.
func (s Volumes) Drop() {
	for _, v := range s {
		if v.account != nil {
			v.charge(nil)
		}
	}
}

// volumeMode is the mode of a volume's root. Source: perm in k8s.io/kubernetes
// pkg/volume/emptydir v1.37.2.
const volumeMode = fs.ModeDir | 0o777

func (v *volumeFS) fsType() string {
	if v.payload != nil {
		return v.payload.fsType
	}
	return v.fs.Type
}

func emptyDir(pod *corev1.Pod, source *corev1.EmptyDirVolumeSource, now time.Time) *volumeFS {
	fsType := "ext4"
	if source.Medium == corev1.StorageMediumMemory {
		fsType = "tmpfs"
	}
	volume := newVolume(fsType, pod, now)
	if source.SizeLimit != nil && fsType == "tmpfs" { // measureVolumes sees to the others
		volume.Limit = min(source.SizeLimit.Value(), vfs.SizeMax)
	}
	return &volumeFS{fs: volume}
}

// newVolume returns an empty volume that belongs to the Pod's fsGroup.
func newVolume(fsType string, pod *corev1.Pod, now time.Time) *vfs.FS {
	volume, root, mode := vfs.New(fsType, now), vfs.User{Now: now}, volumeMode
	if fsType == "tmpfs" {
		mode |= fs.ModeSticky // as the kernel makes the root of one
	}
	if group := fsGroup(pod); group != nil {
		mode |= fs.ModeSetgid
		_ = volume.Chown("/", 0, *group, root) // root may do that in an empty volume
	}
	_ = volume.Chmod("/", mode, root)
	return volume
}

func fsGroup(pod *corev1.Pod) *int64 {
	if pod.Spec.SecurityContext == nil {
		return nil
	}
	return pod.Spec.SecurityContext.FSGroup
}

// EmptyDirs returns what the Pod's emptyDirs hold, but for those in memory, and which one
// holds more than it may. Source: emptyDirLimitEviction, as above.
func (s Volumes) EmptyDirs(pod *corev1.Pod) (total int64, over string) {
	for i := range pod.Spec.Volumes {
		v := &pod.Spec.Volumes[i]
		made := s[v.Name]
		if made == nil || made.fs == nil || v.EmptyDir == nil || v.EmptyDir.Medium == corev1.StorageMediumMemory {
			continue
		}
		used, _ := made.fs.Usage()
		total += used
		if limit := v.EmptyDir.SizeLimit; over == "" && limit != nil && limit.Sign() > 0 && used > limit.Value() {
			over = fmt.Sprintf("Usage of EmptyDir volume %q exceeds the limit %q. ", v.Name, limit.String())
		}
	}
	return total, over
}
