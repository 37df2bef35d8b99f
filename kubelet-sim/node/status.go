package node

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PodsMax is how many Pods a node takes. Source: maxPods in
// k8s.io/kubernetes pkg/kubelet/apis/config/v1beta1 v1.37.2.
const PodsMax = 110

// DefaultCapacity is that of a middling machine.
func DefaultCapacity() corev1.ResourceList {
	return corev1.ResourceList{
		corev1.ResourceCPU:              resource.MustParse("8"),
		corev1.ResourceMemory:           resource.MustParse("16Gi"),
		corev1.ResourceEphemeralStorage: resource.MustParse("100Gi"),
		corev1.ResourcePods:             *resource.NewQuantity(PodsMax, resource.DecimalSI),
		"hugepages-1Gi":                 resource.MustParse("0"),
		"hugepages-2Mi":                 resource.MustParse("0"),
	}
}

// object is the Node as the kubelet registers it.
//
// Deviation: it is Ready at once and has its podCIDR; upstream's kubelet is
// NotReady for some seconds, and the node IPAM controller assigns the CIDR.
func (r *Reconciler) object(n Node, now time.Time) *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: n.Name,
			Labels: map[string]string{
				corev1.LabelHostname: n.Name, corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64",
				"beta.kubernetes.io/os": "linux", "beta.kubernetes.io/arch": "amd64",
			},
			Annotations: map[string]string{"volumes.kubernetes.io/controller-managed-attach-detach": "true"},
		},
		Spec:   corev1.NodeSpec{PodCIDR: n.PodCIDR, PodCIDRs: []string{n.PodCIDR}},
		Status: r.status(n, nil, now),
	}
}

// status is what the kubelet reports; old is the Node before, nil for none.
func (r *Reconciler) status(n Node, old *corev1.Node, now time.Time) corev1.NodeStatus {
	capacity := withExtended(r.cfg.Capacity, old)
	s := corev1.NodeStatus{
		Capacity:    capacity,
		Allocatable: allocatable(capacity),
		Addresses: []corev1.NodeAddress{
			{Type: corev1.NodeInternalIP, Address: n.IP}, {Type: corev1.NodeHostName, Address: n.Name},
		},
		DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: 10250}},
		NodeInfo:        r.info(n, old),
		// Those of upstream's that Pods may need. Source: AllFeatures in
		// k8s.io/component-helpers nodedeclaredfeatures/features v0.37.2.
		DeclaredFeatures: []string{"RestartAllContainersOnContainerExits"},
		Conditions:       conditions(old, now),
		RuntimeHandlers: []corev1.NodeRuntimeHandler{
			{Name: "", Features: &corev1.NodeRuntimeHandlerFeatures{RecursiveReadOnlyMounts: new(bool), UserNamespaces: new(bool)}},
		},
	}
	if old != nil {
		s.VolumesInUse, s.VolumesAttached, s.Config = old.Status.VolumesInUse, old.Status.VolumesAttached, old.Status.Config
		for _, c := range old.Status.Conditions {
			if !owned(c.Type) {
				s.Conditions = append(s.Conditions, c)
			}
		}
	}
	if r.cfg.Images != nil {
		s.Images = r.cfg.Images(n.Name)
	}
	return s
}

// info is made up, but the same for a node of the same name in every run.
func (r *Reconciler) info(n Node, old *corev1.Node) corev1.NodeSystemInfo {
	boot := ""
	if old != nil {
		boot = Boot(old)
	}
	sum := sha256.Sum256([]byte("kubesim node " + n.Name))
	id := hex.EncodeToString(sum[:])
	return corev1.NodeSystemInfo{
		MachineID:               id[:32],
		SystemUUID:              fmt.Sprintf("%s-%s-4%s-a%s-%s", id[:8], id[8:12], id[13:16], id[17:20], id[20:32]),
		BootID:                  bootID(n.Name, boot),
		KernelVersion:           "6.8.0-kubesim",
		OSImage:                 "kubesim simulated node",
		ContainerRuntimeVersion: "containerd://2.2.0",
		KubeletVersion:          r.cfg.Version,
		OperatingSystem:         "linux",
		Architecture:            "amd64",
	}
}

// bootID is new with each boot.
func bootID(name, boot string) string {
	sum := sha256.Sum256([]byte("kubesim node " + name + boot))
	id := hex.EncodeToString(sum[:])
	return fmt.Sprintf("%s-%s-4%s-b%s-%s", id[32:40], id[40:44], id[45:48], id[49:52], id[52:64])
}

func owned(t corev1.NodeConditionType) bool {
	switch t {
	case corev1.NodeMemoryPressure, corev1.NodeDiskPressure, corev1.NodePIDPressure, corev1.NodeReady:
		return true
	}
	return false
}

// conditions are those of a node; old is its Node before, nil for none. Source: setters
// in k8s.io/kubernetes pkg/kubelet/nodestatus v1.37.2.
func conditions(old *corev1.Node, now time.Time) []corev1.NodeCondition {
	all := []corev1.NodeCondition{
		{Type: corev1.NodeMemoryPressure, Status: corev1.ConditionFalse, Reason: "KubeletHasSufficientMemory", Message: "kubelet has sufficient memory available"},
		{Type: corev1.NodeDiskPressure, Status: corev1.ConditionFalse, Reason: "KubeletHasNoDiskPressure", Message: "kubelet has no disk pressure"},
		{Type: corev1.NodePIDPressure, Status: corev1.ConditionFalse, Reason: "KubeletHasSufficientPID", Message: "kubelet has sufficient PID available"},
		{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady", Message: "kubelet is posting ready status"},
	}
	if old != nil {
		switch Pressed(old) {
		case corev1.ResourceMemory:
			all[0] = corev1.NodeCondition{Type: corev1.NodeMemoryPressure, Status: corev1.ConditionTrue, Reason: "KubeletHasInsufficientMemory", Message: "kubelet has insufficient memory available"}
		case corev1.ResourceEphemeralStorage:
			all[1] = corev1.NodeCondition{Type: corev1.NodeDiskPressure, Status: corev1.ConditionTrue, Reason: "KubeletHasDiskPressure", Message: "kubelet has disk pressure"}
		}
	}
	at := metav1.NewTime(now)
	for i := range all {
		all[i].LastHeartbeatTime, all[i].LastTransitionTime = at, at
		if old == nil {
			continue
		}
		for _, was := range old.Status.Conditions {
			if was.Type == all[i].Type && was.Status == all[i].Status {
				all[i].LastTransitionTime = was.LastTransitionTime
			}
		}
	}
	return all
}
