// Package admission says whether a node has room for a Pod.
//
// Invariant: it has no effect, and reads nothing but its arguments. What the node's Pods
// take is counted by the caller, in a Usage.
package admission

import (
	"fmt"
	"slices"

	v1qos "k8s.io/kubernetes/pkg/apis/core/v1/helper/qos"

	corev1 "k8s.io/api/core/v1"

	resourcehelper "k8s.io/component-helpers/resource"

	kubelettypes "k8s.io/kubernetes/pkg/kubelet/types"

	"github.com/kubesim-dev/kubesim/kubelet-sim/event"
	"github.com/kubesim-dev/kubesim/kubelet-sim/node"
)

// Usage is what the live Pods of a node take.
type Usage struct {
	pods, MilliCPU, Memory int64
	ports                  map[hostPort]int
}

// hostPort is a port of the node itself.
type hostPort struct {
	protocol corev1.Protocol
	ip       string // empty for every address
	port     int32
}

// Demand is what one Pod takes.
type Demand struct {
	MilliCPU, Memory int64
	ports            []hostPort
}

// DemandOf is what a Pod takes of its node.
func DemandOf(pod *corev1.Pod) Demand {
	var d Demand
	if Asked(pod) {
		requests := resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{})
		d.MilliCPU, d.Memory = requests.Cpu().MilliValue(), requests.Memory().Value()
	}
	for i := range pod.Spec.Containers {
		for _, p := range pod.Spec.Containers[i].Ports {
			if p.HostPort == 0 {
				continue
			}
			ip := p.HostIP
			if ip == "0.0.0.0" || ip == "::" {
				ip = ""
			}
			protocol := p.Protocol
			if protocol == "" {
				protocol = corev1.ProtocolTCP
			}
			d.ports = append(d.ports, hostPort{protocol, ip, p.HostPort})
		}
	}
	return d
}

// Rejection says why a Pod may not run on its node.
type Rejection struct{ Reason, Message string }

// Admit says whether a Pod fits on a node beside what the node has already,
// nil if it does. Pods that the scheduler has placed do; one that names its
// node itself may not. Source: predicateAdmitHandler.Admit in
// k8s.io/kubernetes pkg/kubelet/lifecycle v1.37.2.
//
// Deviation: only Pods, cpu, memory and host ports are judged.
func Admit(d Demand, used *Usage, allocatable corev1.ResourceList) *Rejection {
	for _, r := range [...]struct {
		reason               string
		name                 corev1.ResourceName
		asked, used, present int64
	}{
		{"OutOfpods", corev1.ResourcePods, 1, used.pods, allocatable.Pods().Value()},
		{"OutOfcpu", corev1.ResourceCPU, d.MilliCPU, used.MilliCPU, allocatable.Cpu().MilliValue()},
		{"OutOfmemory", corev1.ResourceMemory, d.Memory, used.Memory, allocatable.Memory().Value()},
	} {
		if _, limited := allocatable[r.name]; limited && r.asked > 0 && r.asked > r.present-r.used {
			return &Rejection{r.reason, fmt.Sprintf("Node didn't have enough resource: %s, requested: %d, used: %d, capacity: %d", r.name, r.asked, r.used, r.present)}
		}
	}
	for _, p := range d.ports {
		if used.taken(p) {
			return &Rejection{"NodePorts", "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"}
		}
	}
	return nil
}

func (u *Usage) taken(p hostPort) bool {
	if u.ports[p] > 0 || u.ports[hostPort{p.protocol, "", p.port}] > 0 {
		return true
	}
	if p.ip != "" {
		return false
	}
	for other, n := range u.ports {
		if n > 0 && other.protocol == p.protocol && other.port == p.port {
			return true
		}
	}
	return false
}

// Add counts a Pod in, or out with sign -1.
func (u *Usage) Add(d Demand, sign int64) {
	u.pods += sign
	u.MilliCPU += sign * d.MilliCPU
	u.Memory += sign * d.Memory
	for _, p := range d.ports {
		if u.ports == nil {
			u.ports = map[hostPort]int{}
		}
		if u.ports[p] += int(sign); u.ports[p] == 0 {
			delete(u.ports, p)
		}
	}
}

// Asked reports whether the Pod requests anything.
func Asked(pod *corev1.Pod) bool {
	if pod.Spec.Resources != nil || len(pod.Spec.Overhead) > 0 {
		return true
	}
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range list {
			if len(list[i].Resources.Requests) > 0 {
				return true
			}
		}
	}
	return false
}

// AdmitPressed says why a Pod may not run on a node under pressure, nil if it may. A
// Pod that has requests may where memory is short. Source: managerImpl.Admit in
// k8s.io/kubernetes pkg/kubelet/eviction v1.37.2.
func AdmitPressed(obj *corev1.Node, pod *corev1.Pod) *Rejection {
	var condition corev1.NodeConditionType
	switch node.Pressed(obj) {
	case corev1.ResourceMemory:
		condition = corev1.NodeMemoryPressure
		tolerates := slices.ContainsFunc(pod.Spec.Tolerations, func(t corev1.Toleration) bool {
			return (t.Key == corev1.TaintNodeMemoryPressure || t.Key == "") && (t.Effect == corev1.TaintEffectNoSchedule || t.Effect == "")
		})
		if tolerates || v1qos.GetPodQOS(pod) != corev1.PodQOSBestEffort {
			return nil
		}
	case corev1.ResourceEphemeralStorage:
		condition = corev1.NodeDiskPressure
	default:
		return nil
	}
	if kubelettypes.IsCriticalPod(pod) {
		return nil
	}
	return &Rejection{event.Evicted, fmt.Sprintf("The node had condition: %v. ", []corev1.NodeConditionType{condition})}
}
