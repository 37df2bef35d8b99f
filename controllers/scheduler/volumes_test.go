package scheduler

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/component-helpers/storage/volume"
)

// A claim of class "later" waits for a volume of 1Gi.
func delayed(name, selected string) *corev1.PersistentVolumeClaim {
	class := "later"
	c := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name}, Spec: corev1.PersistentVolumeClaimSpec{
		StorageClassName: &class, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
	}}
	if selected != "" {
		c.Annotations = map[string]string{volume.AnnSelectedNode: selected}
	}
	return c
}

// A volume of 1Gi, of class "later", on one Node.
func volumeOn(name, node string) *corev1.PersistentVolume {
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PersistentVolumeSpec{
			StorageClassName: "later", AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Capacity: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
				MatchExpressions: []corev1.NodeSelectorRequirement{{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{node}}},
			}}}},
		},
		Status: corev1.PersistentVolumeStatus{Phase: corev1.VolumeAvailable},
	}
}

func TestVolumesOn(t *testing.T) {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1", Labels: map[string]string{corev1.LabelHostname: "n1"}}}
	class := func(provisioner string) []*storagev1.StorageClass {
		return []*storagev1.StorageClass{{ObjectMeta: metav1.ObjectMeta{Name: "later"}, Provisioner: provisioner}}
	}
	c, d := delayed("c", ""), delayed("d", "")
	for name, tc := range map[string]struct {
		volumes podVolumes
		want    bindings
		none    bool
	}{
		"a Pod without claims":            {podVolumes{}, bindings{}, false},
		"a volume can be bound":           {podVolumes{Delayed: []*corev1.PersistentVolumeClaim{c}, Volumes: []*corev1.PersistentVolume{volumeOn("u", "n2"), volumeOn("v", "n1")}}, bindings{Bind: []volumeBinding{{volumeOn("v", "n1"), c}}}, false},
		"not one volume for two claims":   {podVolumes{Delayed: []*corev1.PersistentVolumeClaim{c, d}, Volumes: []*corev1.PersistentVolume{volumeOn("v", "n1")}, Classes: class(volume.NotSupportedProvisioner)}, bindings{}, true},
		"the other is made":               {podVolumes{Delayed: []*corev1.PersistentVolumeClaim{c, d}, Volumes: []*corev1.PersistentVolume{volumeOn("v", "n1")}, Classes: class("p")}, bindings{Bind: []volumeBinding{{volumeOn("v", "n1"), c}}, Provision: []*corev1.PersistentVolumeClaim{d}}, false},
		"it is being made here":           {podVolumes{Delayed: []*corev1.PersistentVolumeClaim{delayed("c", "n1")}, Classes: class("p")}, bindings{Provision: []*corev1.PersistentVolumeClaim{delayed("c", "n1")}}, false},
		"it is being made elsewhere":      {podVolumes{Delayed: []*corev1.PersistentVolumeClaim{delayed("c", "n2")}, Classes: class("p")}, bindings{}, true},
		"the class's topology is another": {podVolumes{Delayed: []*corev1.PersistentVolumeClaim{c}, Classes: elsewhere(class("p"))}, bindings{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := tc.volumes.on(node)
			if ok == tc.none {
				t.Errorf("found = %v, want %v", ok, !tc.none)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("bindings (-want +got):\n%s", diff)
			}
		})
	}
}

func elsewhere(classes []*storagev1.StorageClass) []*storagev1.StorageClass {
	classes[0].AllowedTopologies = []corev1.TopologySelectorTerm{{
		MatchLabelExpressions: []corev1.TopologySelectorLabelRequirement{{Key: corev1.LabelHostname, Values: []string{"n2"}}},
	}}
	return classes
}
