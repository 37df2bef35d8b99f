package localpath

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/component-helpers/storage/volume"
	"k8s.io/utils/ptr"
)

func newClaim(change func(*corev1.PersistentVolumeClaim)) *corev1.PersistentVolumeClaim {
	c := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "c", UID: "u", Annotations: map[string]string{volume.AnnStorageProvisioner: Provisioner}},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		},
	}
	change(c)
	return c
}

func TestDecide(t *testing.T) {
	as := func(provisioner string, mode storagev1.VolumeBindingMode) *storagev1.StorageClass {
		return &storagev1.StorageClass{
			ObjectMeta: metav1.ObjectMeta{Name: "s"}, Provisioner: provisioner, VolumeBindingMode: &mode,
			ReclaimPolicy: ptr.To(corev1.PersistentVolumeReclaimRetain),
		}
	}
	later := as(Provisioner, storagev1.VolumeBindingWaitForFirstConsumer)
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: map[string]string{corev1.LabelHostname: "host"}}}
	plain := func(*corev1.PersistentVolumeClaim) {}
	for name, tc := range map[string]struct {
		claim  *corev1.PersistentVolumeClaim
		class  *storagev1.StorageClass
		node   *corev1.Node
		failed string
		made   bool
	}{
		"a volume on the selected Node": {newClaim(plain), later, node, "", true},
		"not before one is selected":    {newClaim(plain), later, nil, "", false},
		"another's class":               {newClaim(plain), as("example.com/disk", storagev1.VolumeBindingImmediate), node, "", false},
		"a class that is gone":          {newClaim(plain), nil, node, "", false},
		"a claim that has a volume":     {newClaim(func(c *corev1.PersistentVolumeClaim) { c.Spec.VolumeName = "v" }), later, node, "", false},
		"not asked yet":                 {newClaim(func(c *corev1.PersistentVolumeClaim) { c.Annotations = nil }), later, node, "", false},
		"a class that does not wait for a Node": {
			newClaim(plain), as(Provisioner, storagev1.VolumeBindingImmediate), nil,
			`failed to provision volume with StorageClass "s": configuration error, no node was specified`, false,
		},
		"more Pods than one node's": {
			newClaim(func(c *corev1.PersistentVolumeClaim) {
				c.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany}
			}), later, node,
			`failed to provision volume with StorageClass "s": NodePath only supports ReadWriteOnce and ReadWriteOncePod (1.22+) access modes`, false,
		},
		"a selector": {
			newClaim(func(c *corev1.PersistentVolumeClaim) { c.Spec.Selector = &metav1.LabelSelector{} }), later, node,
			`failed to provision volume with StorageClass "s": claim.Spec.Selector is not supported`, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := decide(tc.claim, tc.class, tc.node)
			if got.Failure != tc.failed || (got.Volume != nil) != tc.made {
				t.Errorf("got failure %q and volume %v", got.Failure, got.Volume)
			}
		})
	}
	v := decide(newClaim(plain), later, node).Volume
	want := corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{
		Path: "/var/local-path-provisioner/pvc-u_ns_c", Type: ptr.To(corev1.HostPathDirectoryOrCreate),
	}}
	if diff := cmp.Diff(want, v.Spec.PersistentVolumeSource); diff != "" || v.Name != "pvc-u" || v.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimRetain {
		t.Errorf("volume %s, %s, source (-want +got):\n%s", v.Name, v.Spec.PersistentVolumeReclaimPolicy, diff)
	}
	if err := volume.CheckNodeAffinity(v, node.Labels); err != nil {
		t.Errorf("the volume does not want its own Node: %v", err)
	}
	if volume.CheckNodeAffinity(v, map[string]string{corev1.LabelHostname: "other"}) == nil {
		t.Error("the volume does not mind which Node")
	}
}

func TestReclaims(t *testing.T) {
	of := func(change func(*corev1.PersistentVolume)) *corev1.PersistentVolume {
		v := &corev1.PersistentVolume{
			ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{volume.AnnDynamicallyProvisioned: Provisioner}},
			Spec:       corev1.PersistentVolumeSpec{PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete},
			Status:     corev1.PersistentVolumeStatus{Phase: corev1.VolumeReleased},
		}
		change(v)
		return v
	}
	for name, tc := range map[string]struct {
		volume *corev1.PersistentVolume
		want   bool
	}{
		"a released one": {of(func(*corev1.PersistentVolume) {}), true},
		"not one in use": {of(func(v *corev1.PersistentVolume) { v.Status.Phase = corev1.VolumeBound }), false},
		"not one to be retained": {of(func(v *corev1.PersistentVolume) {
			v.Spec.PersistentVolumeReclaimPolicy = corev1.PersistentVolumeReclaimRetain
		}), false},
		"not one of another": {of(func(v *corev1.PersistentVolume) { v.Annotations = nil }), false},
		"not twice":          {of(func(v *corev1.PersistentVolume) { v.DeletionTimestamp = &metav1.Time{} }), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := reclaims(tc.volume); got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
