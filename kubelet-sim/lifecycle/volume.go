package lifecycle

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stats"
)

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

// dropVolumes gives up what the Pod's own volumes hold.
func (run *podRun) dropVolumes() {
	for _, v := range run.volumes {
		if v.account != nil {
			v.charge(nil)
		}
	}
	run.volumes = nil
}

// volumeMode is the mode of a volume's root. Source: perm in k8s.io/kubernetes
// pkg/volume/emptydir v1.37.2.
const volumeMode = fs.ModeDir | 0o777

// mountError is the kubelet's FailedMount.
type mountError struct {
	// what has failed of the volume of that name.
	what, volume string
	err          error
}

// setUpFailed is what mostly fails of a volume.
const setUpFailed = "MountVolume.SetUp failed"

func (e *mountError) Error() string {
	return fmt.Sprintf("%s for volume %q : %v", e.what, e.volume, e.err)
}

func (e *mountError) Unwrap() error { return e.err }

// makeVolumes makes the Pod's volumes, or says which one cannot be made.
func (r *Reconciler) makeVolumes(run *podRun, now time.Time) error {
	volumes := make(map[string]*volumeFS, len(run.pod.Spec.Volumes))
	for i := range run.pod.Spec.Volumes {
		v := &run.pod.Spec.Volumes[i]
		if old := run.volumes[v.Name]; old != nil && v.EmptyDir != nil && v.EmptyDir.Medium != corev1.StorageMediumMemory {
			volumes[v.Name] = old // the machine has started anew, its disk is as it was
			continue
		}
		made, err := r.makeVolume(run, v, now)
		if err != nil && run.replaying {
			made, err = emptyDir(run.pod, &corev1.EmptyDirVolumeSource{}, now), nil
		}
		if err != nil {
			return err
		}
		volumes[v.Name] = made
	}
	for name, old := range run.volumes {
		if volumes[name] == old {
			delete(run.volumes, name)
		}
	}
	run.dropVolumes()
	run.volumes = volumes
	for i := range run.pod.Spec.Volumes {
		run.payFor(&run.pod.Spec.Volumes[i])
	}
	return nil
}

// payFor charges the Pod with a volume that is its own.
func (run *podRun) payFor(v *corev1.Volume) {
	made := run.volumes[v.Name]
	if v.HostPath != nil || v.PersistentVolumeClaim != nil && !run.apart || made.account != nil {
		return
	}
	kind := stats.Storage
	if made.fsType() == "tmpfs" {
		kind = stats.Memory
	}
	part := run.account.Of(kind)
	made.charge(&part)
}

func (v *volumeFS) fsType() string {
	if v.payload != nil {
		return v.payload.fsType
	}
	return v.fs.Type
}

func (r *Reconciler) makeVolume(run *podRun, v *corev1.Volume, now time.Time) (*volumeFS, error) {
	switch {
	case v.EmptyDir != nil:
		return emptyDir(run.pod, v.EmptyDir, now), nil
	case v.HostPath != nil:
		made, err := hostPath(run.node.hostFS(now), v.HostPath, now)
		if err != nil {
			return nil, &mountError{setUpFailed, v.Name, err}
		}
		return made, nil
	case v.PersistentVolumeClaim != nil:
		if run.apart {
			return emptyDir(run.pod, &corev1.EmptyDirVolumeSource{}, now), nil
		}
		return r.claim(run, v.Name, v.PersistentVolumeClaim, now)
	case v.ConfigMap != nil, v.Secret != nil, v.DownwardAPI != nil, v.Projected != nil:
		p := &payload{r: r, run: run}
		if err := p.add(v); err != nil && !run.replaying {
			return nil, &mountError{setUpFailed, v.Name, err}
		}
		return p.volume(now), nil
	}
	// Deviation: a volume of any other type is an empty directory of the Pod.
	return emptyDir(run.pod, &corev1.EmptyDirVolumeSource{}, now), nil
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
