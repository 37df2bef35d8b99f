package lifecycle

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

func TestAdmit(t *testing.T) {
	node := corev1.ResourceList{
		corev1.ResourcePods: resource.MustParse("2"), corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("1Ki"),
	}
	port := func(ip string) hostPort { return hostPort{corev1.ProtocolTCP, ip, 80} }
	ports := &rejection{"NodePorts", "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"}
	for name, tc := range map[string]struct {
		used []demand
		d    demand
		want *rejection
	}{
		"an empty node takes a Pod": {nil, demand{milliCPU: 1000, memory: 1024}, nil},
		"the third Pod of two":      {[]demand{{}, {}}, demand{}, &rejection{"OutOfpods", "Node didn't have enough resource: pods, requested: 1, used: 2, capacity: 2"}},
		"too little cpu":            {[]demand{{milliCPU: 600}}, demand{milliCPU: 500}, &rejection{"OutOfcpu", "Node didn't have enough resource: cpu, requested: 500, used: 600, capacity: 1000"}},
		"no request always fits":    {[]demand{{milliCPU: 2000}}, demand{}, nil},
		"a taken port":              {[]demand{{ports: []hostPort{port("")}}}, demand{ports: []hostPort{port("10.0.0.1")}}, ports},
		"a port of every address":   {[]demand{{ports: []hostPort{port("10.0.0.1")}}}, demand{ports: []hostPort{port("")}}, ports},
		"a port of another address": {[]demand{{ports: []hostPort{port("10.0.0.1")}}}, demand{ports: []hostPort{port("10.0.0.2")}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var used usage
			for _, d := range tc.used {
				used.add(d, 1)
			}
			if diff := cmp.Diff(tc.want, admit(tc.d, &used, node)); diff != "" {
				t.Errorf("rejection (-want +got):\n%s", diff)
			}
		})
	}
}

func TestARejectedPodFails(t *testing.T) {
	port := func(p *corev1.Pod) {
		p.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 80, HostPort: 8080}}
	}
	c := newCluster(t, engine.Auto)
	c.create(engine.Pods, newPod("a", policy(corev1.RestartPolicyAlways), runs("hang"), port))
	c.create(engine.Pods, newPod("b", policy(corev1.RestartPolicyAlways), runs("hang"), port))
	got := c.api.pod(t, "b").Status
	want := "Pod was rejected: Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"
	if got.Phase != corev1.PodFailed || got.Reason != "NodePorts" || got.Message != want {
		t.Errorf("status %s %s %q", got.Phase, got.Reason, got.Message)
	}
	c.delete("a")
	c.create(engine.Pods, newPod("d", policy(corev1.RestartPolicyAlways), runs("hang"), port))
	if got := c.api.pod(t, "d").Status.Phase; got != corev1.PodRunning {
		t.Errorf("after the first is gone: %s", got)
	}
}
