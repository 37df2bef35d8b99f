// Package volume makes the volumes of Pods and mounts them into containers: emptyDirs,
// places in a node's file system, the storage behind claims, and files that follow from
// ConfigMaps, Secrets, tokens, certificates and the Pod itself.
//
// Invariant: a volume is an in-memory file system, and somebody's account pays for it. Its
// files are made when a program first enters it: most never read their token. What a Pod's
// files follow is noted in Storage.Users; the caller brings
// them up to date, and knows when.
package volume

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/component-helpers/storage/ephemeral"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/depend"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stats"
)

// TokenRequest says what a projected service account token is for.
type TokenRequest struct {
	Namespace, ServiceAccount string
	Pod                       types.UID
	PodName                   string
	Audience                  string
	ExpirationSeconds         int64
}

// Storage makes the volumes of Pods, and holds those that outlive a Pod.
type Storage struct {
	view *engine.View
	// token makes the token of a service account; nil if there are none.
	token func(TokenRequest) (string, error)
	// shared pays for what is of no one Pod.
	shared stats.Part
	// claimed are the volumes that are not of one node, see storageOf.
	claimed map[string]*vfs.FS
	// Users are the Pods whose files follow an object.
	Users depend.Waiters
}

// NewStorage returns one without volumes. It needs the View's ConfigMaps, Secrets, Nodes,
// ClusterTrustBundles, volumes and claims. Without token service account tokens stay out.
func NewStorage(view *engine.View, token func(TokenRequest) (string, error), shared stats.Part) *Storage {
	return &Storage{view: view, token: token, shared: shared, claimed: map[string]*vfs.FS{}, Users: depend.Waiters{}}
}

// Owner is a Pod as its volumes see it.
type Owner struct {
	Pod   *corev1.Pod
	State *podstate.State
	// Account pays for what the Pod's own volumes hold.
	Account *stats.Account
	// Host is the file system of the Pod's node.
	Host func(now time.Time) *vfs.FS
	// Apart: it runs for its logs alone, and shares nothing. Replaying: what is missing now
	// was there once.
	Apart, Replaying bool
}

func (o *Owner) name() types.NamespacedName {
	return types.NamespacedName{Namespace: o.Pod.Namespace, Name: o.Pod.Name}
}

// Make makes the Pod's volumes, or says which one cannot be made. old are those that it had;
// without an error they are given up.
func (st *Storage) Make(o Owner, old Volumes, now time.Time) (Volumes, error) {
	volumes := make(Volumes, len(o.Pod.Spec.Volumes))
	for i := range o.Pod.Spec.Volumes {
		v := &o.Pod.Spec.Volumes[i]
		if kept := old[v.Name]; kept != nil && v.EmptyDir != nil && v.EmptyDir.Medium != corev1.StorageMediumMemory {
			volumes[v.Name] = kept // the machine has restarted, its disk is as it was
			continue
		}
		made, err := st.makeOne(o, v, now)
		if err != nil && o.Replaying {
			made, err = emptyDir(o.Pod, &corev1.EmptyDirVolumeSource{}, now), nil
		}
		if err != nil {
			return nil, err
		}
		volumes[v.Name] = made
	}
	for name, one := range old {
		if volumes[name] == one {
			delete(old, name)
		}
	}
	old.Drop()
	for i := range o.Pod.Spec.Volumes {
		o.payFor(&o.Pod.Spec.Volumes[i], volumes)
	}
	return volumes, nil
}

// payFor charges the Pod with a volume that is its own.
func (o Owner) payFor(v *corev1.Volume, volumes Volumes) {
	made := volumes[v.Name]
	claimed := v.PersistentVolumeClaim != nil || v.Ephemeral != nil
	if v.HostPath != nil || claimed && !o.Apart || made.account != nil {
		return
	}
	kind := stats.Storage
	if made.fsType() == "tmpfs" {
		kind = stats.Memory
	}
	part := o.Account.Of(kind)
	made.charge(&part)
}

func (st *Storage) makeOne(o Owner, v *corev1.Volume, now time.Time) (*volumeFS, error) {
	switch {
	case v.EmptyDir != nil:
		return emptyDir(o.Pod, v.EmptyDir, now), nil
	case v.HostPath != nil:
		made, err := hostPath(o.Host(now), v.HostPath, now)
		if err != nil {
			return nil, &mountError{setUpFailed, v.Name, err}
		}
		return made, nil
	case (v.PersistentVolumeClaim != nil || v.Ephemeral != nil) && o.Apart:
		return emptyDir(o.Pod, &corev1.EmptyDirVolumeSource{}, now), nil
	case v.PersistentVolumeClaim != nil:
		return st.claim(o, v, v.PersistentVolumeClaim.ClaimName, now)
	case v.Ephemeral != nil:
		return st.claim(o, v, ephemeral.VolumeClaimName(o.Pod, v), now)
	case v.ConfigMap != nil, v.Secret != nil, v.DownwardAPI != nil, v.Projected != nil:
		p := &payload{storage: st, owner: o}
		if err := p.add(v); err != nil && !o.Replaying {
			return nil, &mountError{setUpFailed, v.Name, err}
		}
		return p.volume(now), nil
	}
	// Deviation: a volume of any other type is an empty directory of the Pod.
	return emptyDir(o.Pod, &corev1.EmptyDirVolumeSource{}, now), nil
}
