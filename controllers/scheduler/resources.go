package scheduler

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	helper "k8s.io/component-helpers/resource"
)

// nonZeroCPU and nonZeroMemory stand for a container's missing requests when
// Nodes are scored, so that Pods without requests spread too.
// Units: milli-CPUs, bytes. Source: DefaultMilliCPURequest and
// DefaultMemoryRequest, k8s.io/kubernetes pkg/scheduler/util v1.37.2.
const (
	nonZeroCPU    = 100
	nonZeroMemory = 200 * 1024 * 1024
)

// resources is an amount of what a Node has and a Pod asks for.
type resources struct {
	// CPU is in milli-CPUs, Memory and Ephemeral in bytes.
	CPU, Memory, Ephemeral int64
	// Scalar are extended resources and huge pages.
	Scalar map[corev1.ResourceName]int64
}

func resourcesOf(list corev1.ResourceList) resources {
	var r resources
	for name, q := range list {
		switch name {
		case corev1.ResourceCPU:
			r.CPU = q.MilliValue()
		case corev1.ResourceMemory:
			r.Memory = q.Value()
		case corev1.ResourceEphemeralStorage:
			r.Ephemeral = q.Value()
		case corev1.ResourcePods:
		default:
			if r.Scalar == nil {
				r.Scalar = map[corev1.ResourceName]int64{}
			}
			r.Scalar[name] = q.Value()
		}
	}
	return r
}

// add adds sign times other.
func (r *resources) add(other resources, sign int64) {
	r.CPU += sign * other.CPU
	r.Memory += sign * other.Memory
	r.Ephemeral += sign * other.Ephemeral
	if len(other.Scalar) > 0 && r.Scalar == nil {
		r.Scalar = map[corev1.ResourceName]int64{}
	}
	for name, n := range other.Scalar {
		r.Scalar[name] += sign * n
	}
}

// request is what one Pod takes of its Node.
type request struct {
	// Exact is what it asks for; NonZero has a container's missing CPU and
	// memory requests filled in, for scores.
	Exact, NonZero resources
	// Ports are its host ports.
	Ports []hostPort
}

func requestOf(pod *corev1.Pod) request {
	opts := helper.PodResourcesOptions{UseStatusResources: true}
	exact := helper.PodRequests(pod, opts)
	opts.NonMissingContainerRequests = corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewMilliQuantity(nonZeroCPU, resource.DecimalSI),
		corev1.ResourceMemory: *resource.NewQuantity(nonZeroMemory, resource.DecimalSI),
	}
	return request{Exact: resourcesOf(exact), NonZero: resourcesOf(helper.PodRequests(pod, opts)), Ports: portsOf(pod)}
}

// hostPort is a port of the Node that a Pod takes.
type hostPort struct {
	IP, Protocol string
	Port         int32
}

const anyIP = "0.0.0.0"

func portsOf(pod *corev1.Pod) []hostPort {
	var out []hostPort
	add := func(c *corev1.Container) {
		for _, p := range c.Ports {
			if p.HostPort <= 0 {
				continue
			}
			port := hostPort{IP: p.HostIP, Protocol: string(p.Protocol), Port: p.HostPort}
			if port.IP == "" {
				port.IP = anyIP
			}
			if port.Protocol == "" {
				port.Protocol = string(corev1.ProtocolTCP)
			}
			out = append(out, port)
		}
	}
	for i := range pod.Spec.Containers {
		add(&pod.Spec.Containers[i])
	}
	for i := range pod.Spec.InitContainers {
		if c := &pod.Spec.InitContainers[i]; c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			add(c)
		}
	}
	return out
}

// conflicts reports whether both cannot be taken on one Node.
func (p hostPort) conflicts(other hostPort) bool {
	return p.Port == other.Port && p.Protocol == other.Protocol &&
		(p.IP == other.IP || p.IP == anyIP || other.IP == anyIP)
}

// scalarNames returns the names of r's scalar resources in order.
func (r resources) scalarNames() []corev1.ResourceName {
	return slices.Sorted(maps.Keys(r.Scalar))
}
