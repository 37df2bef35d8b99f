package volume

import (
	"fmt"
	"path"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/component-helpers/storage/ephemeral"
	storagehelpers "k8s.io/component-helpers/storage/volume"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/depend"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// A claim's volume outlives the Pods that use it. Where its PersistentVolume is a
// directory of a node, that directory is it; else it is storage that every node
// reaches.
//
// Deviation: that storage lives as long as the server.

// claim returns the volume behind a claim of the Pod, which is that of one of its volumes.
func (st *Storage) claim(o Owner, of *corev1.Volume, name string, now time.Time) (*volumeFS, error) {
	v, err := st.boundVolume(o.Pod, of, types.NamespacedName{Namespace: o.Pod.Namespace, Name: name})
	if err != nil {
		return nil, &attachError{of.Name, err}
	}
	var labels map[string]string
	if n, ok := engine.Get[*corev1.Node](st.view, engine.Nodes, "", o.Pod.Spec.NodeName); ok {
		labels = n.Labels
	}
	if err := storagehelpers.CheckNodeAffinity(v, labels); err != nil {
		return nil, &mountError{"MountVolume.NodeAffinity check failed", v.Name, err}
	}
	made, err := st.persistent(o, v, now)
	if err != nil {
		return nil, err
	}
	made.readOnly = of.PersistentVolumeClaim != nil && of.PersistentVolumeClaim.ReadOnly
	return made, nil
}

// boundVolume returns the volume that a claim is bound to. Source:
// desiredStateOfWorldPopulator.getPVCExtractPV in k8s.io/kubernetes
// pkg/kubelet/volumemanager/populator v1.37.2.
func (st *Storage) boundVolume(pod *corev1.Pod, of *corev1.Volume, name types.NamespacedName) (*corev1.PersistentVolume, error) {
	lacks := func(resource engine.Resource, object types.NamespacedName, format string, args ...any) error {
		text := fmt.Sprintf(format, args...)
		return depend.Object{Resource: resource, Name: object}.Lacks("error processing PVC %s: %s", name, text)
	}
	claim, ok := engine.Get[*corev1.PersistentVolumeClaim](st.view, engine.PersistentVolumeClaims, name.Namespace, name.Name)
	switch {
	case !ok:
		return nil, lacks(engine.PersistentVolumeClaims, name, "failed to fetch PVC from API server: persistentvolumeclaims %q not found", name.Name)
	case of.Ephemeral != nil && ephemeral.VolumeIsForPod(pod, claim) != nil:
		return nil, lacks(engine.PersistentVolumeClaims, name, "%v", ephemeral.VolumeIsForPod(pod, claim))
	case claim.DeletionTimestamp != nil:
		return nil, lacks(engine.PersistentVolumeClaims, name, "PVC is being deleted")
	case claim.Status.Phase != corev1.ClaimBound || claim.Spec.VolumeName == "":
		return nil, lacks(engine.PersistentVolumeClaims, name, "PVC is not bound")
	}
	v, ok := engine.Get[*corev1.PersistentVolume](st.view, engine.PersistentVolumes, "", claim.Spec.VolumeName)
	if !ok {
		return nil, lacks(engine.PersistentVolumes, types.NamespacedName{Name: claim.Spec.VolumeName},
			"failed to fetch PV %s from API server: persistentvolumes %q not found", claim.Spec.VolumeName, claim.Spec.VolumeName)
	}
	return v, nil
}

// persistent returns the storage of a PersistentVolume, as the Pod's node sees it.
func (st *Storage) persistent(o Owner, v *corev1.PersistentVolume, now time.Time) (*volumeFS, error) {
	switch {
	case v.Spec.HostPath != nil:
		made, err := hostPath(o.Host(now), v.Spec.HostPath, now)
		if err != nil {
			return nil, &mountError{setUpFailed, v.Name, err}
		}
		return made, nil
	case v.Spec.Local != nil:
		source := &corev1.HostPathVolumeSource{Path: v.Spec.Local.Path, Type: new(corev1.HostPathDirectory)}
		made, err := hostPath(o.Host(now), source, now)
		if err != nil {
			return nil, &mountError{"MountVolume.NewMounter initialization failed", v.Name, fmt.Errorf("path %q does not exist", v.Spec.Local.Path)}
		}
		return made, nil
	}
	key := storageOf(v)
	fs, ok := st.claimed[key]
	if !ok {
		fs = newVolume("ext4", &corev1.Pod{}, now)
		fs.Charge(st.shared)
		st.claimed[key] = fs
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

// Reclaim throws away what a volume held that was deleted by its reclaim policy,
// or is empty again because it was recycled. hosts are the nodes' file systems.
func (st *Storage) Reclaim(c engine.Commit, hosts func() []*vfs.FS) {
	v := c.Object.(*corev1.PersistentVolume)
	old, _ := c.Old.(*corev1.PersistentVolume)
	switch policy := v.Spec.PersistentVolumeReclaimPolicy; {
	case c.Type == watch.Deleted && policy == corev1.PersistentVolumeReclaimDelete && v.Status.Phase == corev1.VolumeReleased:
		st.wipe(v, hosts)
	case policy == corev1.PersistentVolumeReclaimRecycle && old != nil && old.Status.Phase == corev1.VolumeReleased && v.Status.Phase == corev1.VolumeAvailable:
		st.wipe(v, hosts)
	}
}

func (st *Storage) wipe(v *corev1.PersistentVolume, hosts func() []*vfs.FS) {
	if fs := st.claimed[storageOf(v)]; fs != nil {
		fs.Release()
	}
	delete(st.claimed, storageOf(v))
	if v.Spec.HostPath == nil {
		return
	}
	for _, host := range hosts() {
		_ = host.RemoveAll(vfs.Clean(v.Spec.HostPath.Path), vfs.User{}) // it may never have been used there
	}
}
