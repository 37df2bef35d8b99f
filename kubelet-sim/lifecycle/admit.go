package lifecycle

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	resourcehelper "k8s.io/component-helpers/resource"
)

// usage is what the live Pods of a node take.
type usage struct {
	pods, milliCPU, memory int64
	ports                  map[hostPort]int
}

// hostPort is a port of the node itself.
type hostPort struct {
	protocol corev1.Protocol
	ip       string // empty for every address
	port     int32
}

// demand is what one Pod takes.
type demand struct {
	milliCPU, memory int64
	ports            []hostPort
}

func demandOf(pod *corev1.Pod) demand {
	var d demand
	if asked(pod) {
		requests := resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{})
		d.milliCPU, d.memory = requests.Cpu().MilliValue(), requests.Memory().Value()
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

// rejection says why a Pod may not run on its node.
type rejection struct{ Reason, Message string }

// admit says whether a Pod fits on a node beside what the node has already,
// nil if it does. Pods that the scheduler has placed do; one that names its
// node itself may not. Source: predicateAdmitHandler.Admit in
// k8s.io/kubernetes pkg/kubelet/lifecycle v1.37.2.
//
// Deviation: only Pods, cpu, memory and host ports are judged.
func admit(d demand, used *usage, allocatable corev1.ResourceList) *rejection {
	for _, r := range [...]struct {
		reason               string
		name                 corev1.ResourceName
		asked, used, present int64
	}{
		{"OutOfpods", corev1.ResourcePods, 1, used.pods, allocatable.Pods().Value()},
		{"OutOfcpu", corev1.ResourceCPU, d.milliCPU, used.milliCPU, allocatable.Cpu().MilliValue()},
		{"OutOfmemory", corev1.ResourceMemory, d.memory, used.memory, allocatable.Memory().Value()},
	} {
		if _, limited := allocatable[r.name]; limited && r.asked > 0 && r.asked > r.present-r.used {
			return &rejection{r.reason, fmt.Sprintf("Node didn't have enough resource: %s, requested: %d, used: %d, capacity: %d", r.name, r.asked, r.used, r.present)}
		}
	}
	for _, p := range d.ports {
		if used.taken(p) {
			return &rejection{"NodePorts", "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"}
		}
	}
	return nil
}

func (u *usage) taken(p hostPort) bool {
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

// add counts a Pod in, or out with sign -1.
func (u *usage) add(d demand, sign int64) {
	u.pods += sign
	u.milliCPU += sign * d.milliCPU
	u.memory += sign * d.memory
	for _, p := range d.ports {
		if u.ports == nil {
			u.ports = map[hostPort]int{}
		}
		if u.ports[p] += int(sign); u.ports[p] == 0 {
			delete(u.ports, p)
		}
	}
}

// asked reports whether the Pod requests anything.
func asked(pod *corev1.Pod) bool {
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
