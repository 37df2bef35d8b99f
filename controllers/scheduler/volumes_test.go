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
	const (
		affinity = "node(s) didn't match PersistentVolume's node affinity"
		none     = "node(s) didn't find available persistent volumes to bind"
		gone     = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"
	)
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1", Labels: map[string]string{corev1.LabelHostname: "n1"}}}
	class := func(provisioner string) []*storagev1.StorageClass {
		return []*storagev1.StorageClass{{ObjectMeta: metav1.ObjectMeta{Name: "later"}, Provisioner: provisioner}}
	}
	c, d := delayed("c", ""), delayed("d", "")
	for name, tc := range map[string]struct {
		volumes podVolumes
		want    bindings
		reasons []string
	}{
		"a Pod without claims":            {podVolumes{}, bindings{}, nil},
		"its volume is here":              {podVolumes{Bound: []*corev1.PersistentVolume{volumeOn("v", "n1")}}, bindings{}, nil},
		"its volume is on another Node":   {podVolumes{Bound: []*corev1.PersistentVolume{volumeOn("v", "n2")}}, bindings{}, []string{affinity}},
		"its volume is nowhere":           {podVolumes{Bound: []*corev1.PersistentVolume{nil}}, bindings{}, []string{gone}},
		"a volume can be bound":           {podVolumes{Delayed: []*corev1.PersistentVolumeClaim{c}, Volumes: []*corev1.PersistentVolume{volumeOn("u", "n2"), volumeOn("v", "n1")}}, bindings{Bind: []volumeBinding{{volumeOn("v", "n1"), c}}}, nil},
		"not one volume for two claims":   {podVolumes{Delayed: []*corev1.PersistentVolumeClaim{c, d}, Volumes: []*corev1.PersistentVolume{volumeOn("v", "n1")}, Classes: class(volume.NotSupportedProvisioner)}, bindings{}, []string{none}},
		"the other is made":               {podVolumes{Delayed: []*corev1.PersistentVolumeClaim{c, d}, Volumes: []*corev1.PersistentVolume{volumeOn("v", "n1")}, Classes: class("p")}, bindings{Bind: []volumeBinding{{volumeOn("v", "n1"), c}}, Provision: []*corev1.PersistentVolumeClaim{d}}, nil},
		"it is being made here":           {podVolumes{Delayed: []*corev1.PersistentVolumeClaim{delayed("c", "n1")}, Classes: class("p")}, bindings{Provision: []*corev1.PersistentVolumeClaim{delayed("c", "n1")}}, nil},
		"it is being made elsewhere":      {podVolumes{Delayed: []*corev1.PersistentVolumeClaim{delayed("c", "n2")}, Classes: class("p")}, bindings{}, []string{none}},
		"the class's topology is another": {podVolumes{Delayed: []*corev1.PersistentVolumeClaim{c}, Classes: elsewhere(class("p"))}, bindings{}, []string{none}},
	} {
		t.Run(name, func(t *testing.T) {
			got, reasons := tc.volumes.on(node)
			if diff := cmp.Diff(tc.want, got); diff != "" && len(tc.reasons) == 0 {
				t.Errorf("bindings (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.reasons, reasons); diff != "" {
				t.Errorf("reasons (-want +got):\n%s", diff)
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

func TestDecideRefusesBeforeItLooksAtNodes(t *testing.T) {
	nodes := clusterOf([]*corev1.Node{node("a"), node("b")}, nil).nodes
	want := plan{Message: `0/2 nodes are available: persistentvolumeclaim "c" not found. preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.`}
	if diff := cmp.Diff(want, decide(pod("p"), podVolumes{Refusal: `persistentvolumeclaim "c" not found`}, nodes, 0)); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}
