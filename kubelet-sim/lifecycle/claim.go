package lifecycle

import (
	"fmt"
	"path"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	storagehelpers "k8s.io/component-helpers/storage/volume"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stats"
)

// A claim's volume outlives the Pods that use it. Where its PersistentVolume is a
// directory of a node, that directory is it; else it is storage that every node
// reaches.
//
// Deviation: that storage lives as long as the server.

// attachError is the kubelet's FailedMount for a volume that it cannot even begin
// to mount. Source: volumeManager.WaitForAttachAndMount in k8s.io/kubernetes
// pkg/kubelet/volumemanager v1.37.2.
type attachError struct {
	volume string
	err    error
}

func (e *attachError) Error() string {
	return fmt.Sprintf("Unable to attach or mount volumes: unmounted volumes=[%s], unattached volumes=[], failed to process volumes=[%s]: %v", e.volume, e.volume, e.err)
}

func (e *attachError) Unwrap() error { return e.err }

// claim returns the volume behind a claim of the Pod.
func (r *Reconciler) claim(run *podRun, name string, source *corev1.PersistentVolumeClaimVolumeSource, now time.Time) (*volumeFS, error) {
	v, err := r.boundVolume(types.NamespacedName{Namespace: run.pod.Namespace, Name: source.ClaimName})
	if err != nil {
		return nil, &attachError{name, err}
	}
	var labels map[string]string
	if n, ok := engine.Get[*corev1.Node](r.view, engine.Nodes, "", run.node.Name); ok {
		labels = n.Labels
	}
	if err := storagehelpers.CheckNodeAffinity(v, labels); err != nil {
		return nil, &mountError{"MountVolume.NodeAffinity check failed", v.Name, err}
	}
	made, err := r.persistent(run, v, now)
	if err != nil {
		return nil, err
	}
	made.readOnly = source.ReadOnly
	return made, nil
}

// boundVolume returns the volume that a claim is bound to. Source:
// desiredStateOfWorldPopulator.getPVCExtractPV, ibid. populator.
func (r *Reconciler) boundVolume(name types.NamespacedName) (*corev1.PersistentVolume, error) {
	lacks := func(resource engine.Resource, object types.NamespacedName, format string, args ...any) error {
		text := fmt.Sprintf(format, args...)
		return &missingError{dependency{resource, object}, fmt.Sprintf("error processing PVC %s: %s", name, text)}
	}
	claim, ok := engine.Get[*corev1.PersistentVolumeClaim](r.view, engine.PersistentVolumeClaims, name.Namespace, name.Name)
	switch {
	case !ok:
		return nil, lacks(engine.PersistentVolumeClaims, name, "failed to fetch PVC from API server: persistentvolumeclaims %q not found", name.Name)
	case claim.DeletionTimestamp != nil:
		return nil, lacks(engine.PersistentVolumeClaims, name, "PVC is being deleted")
	case claim.Status.Phase != corev1.ClaimBound || claim.Spec.VolumeName == "":
		return nil, lacks(engine.PersistentVolumeClaims, name, "PVC is not bound")
	}
	v, ok := engine.Get[*corev1.PersistentVolume](r.view, engine.PersistentVolumes, "", claim.Spec.VolumeName)
	if !ok {
		return nil, lacks(engine.PersistentVolumes, types.NamespacedName{Name: claim.Spec.VolumeName},
			"failed to fetch PV %s from API server: persistentvolumes %q not found", claim.Spec.VolumeName, claim.Spec.VolumeName)
	}
	return v, nil
}

// persistent returns the storage of a PersistentVolume, as the Pod's node sees it.
func (r *Reconciler) persistent(run *podRun, v *corev1.PersistentVolume, now time.Time) (*volumeFS, error) {
	switch {
	case v.Spec.HostPath != nil:
		made, err := hostPath(run.node.hostFS(now), v.Spec.HostPath, now)
		if err != nil {
			return nil, &mountError{setUpFailed, v.Name, err}
		}
		return made, nil
	case v.Spec.Local != nil:
		source := &corev1.HostPathVolumeSource{Path: v.Spec.Local.Path, Type: new(corev1.HostPathDirectory)}
		made, err := hostPath(run.node.hostFS(now), source, now)
		if err != nil {
			return nil, &mountError{"MountVolume.NewMounter initialization failed", v.Name, fmt.Errorf("path %q does not exist", v.Spec.Local.Path)}
		}
		return made, nil
	}
	key := storageOf(v)
	fs, ok := r.storage[key]
	if !ok {
		fs = newVolume("ext4", &corev1.Pod{}, now)
		fs.Charge(r.shared.Of(stats.Storage))
		r.storage[key] = fs
	}
	return &volumeFS{fs: fs}, nil
}

// storageOf names the storage of a volume that is not of one node: an export of a
// server, which several volumes may share, or the volume's own.
func storageOf(v *corev1.PersistentVolume) string {
	if nfs := v.Spec.NFS; nfs != nil {
		return "nfs/" + nfs.Server + path.Clean("/"+nfs.Path)
	}
	return "pv/" + string(v.UID)
}

// reclaim throws away what a volume held that was deleted by its reclaim policy,
// or is empty again because it was recycled.
func (r *Reconciler) reclaim(c engine.Commit) {
	v := c.Object.(*corev1.PersistentVolume)
	old, _ := c.Old.(*corev1.PersistentVolume)
	switch policy := v.Spec.PersistentVolumeReclaimPolicy; {
	case c.Type == watch.Deleted && policy == corev1.PersistentVolumeReclaimDelete && v.Status.Phase == corev1.VolumeReleased:
		r.wipe(v)
	case policy == corev1.PersistentVolumeReclaimRecycle && old != nil && old.Status.Phase == corev1.VolumeReleased && v.Status.Phase == corev1.VolumeAvailable:
		r.wipe(v)
	}
}

func (r *Reconciler) wipe(v *corev1.PersistentVolume) {
	if fs := r.storage[storageOf(v)]; fs != nil {
		fs.Release()
	}
	delete(r.storage, storageOf(v))
	if v.Spec.HostPath == nil {
		return
	}
	for _, n := range r.nodes {
		if n.host.fs != nil {
			_ = n.host.fs.RemoveAll(vfs.Clean(v.Spec.HostPath.Path), vfs.User{}) // it may never have been used there
		}
	}
}
