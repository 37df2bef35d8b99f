package admission

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

func TestAdmit(t *testing.T) {
	node := corev1.ResourceList{
		corev1.ResourcePods: resource.MustParse("2"), corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("1Ki"),
	}
	port := func(ip string) hostPort { return hostPort{corev1.ProtocolTCP, ip, 80} }
	ports := &Rejection{"NodePorts", "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"}
	for name, tc := range map[string]struct {
		used []Demand
		d    Demand
		want *Rejection
	}{
		"an empty node takes a Pod": {nil, Demand{MilliCPU: 1000, Memory: 1024}, nil},
		"the third Pod of two":      {[]Demand{{}, {}}, Demand{}, &Rejection{"OutOfpods", "Node didn't have enough resource: pods, requested: 1, used: 2, capacity: 2"}},
		"too little cpu":            {[]Demand{{MilliCPU: 600}}, Demand{MilliCPU: 500}, &Rejection{"OutOfcpu", "Node didn't have enough resource: cpu, requested: 500, used: 600, capacity: 1000"}},
		"no request always fits":    {[]Demand{{MilliCPU: 2000}}, Demand{}, nil},
		"a taken port":              {[]Demand{{ports: []hostPort{port("")}}}, Demand{ports: []hostPort{port("10.0.0.1")}}, ports},
		"a port of every address":   {[]Demand{{ports: []hostPort{port("10.0.0.1")}}}, Demand{ports: []hostPort{port("")}}, ports},
		"a port of another address": {[]Demand{{ports: []hostPort{port("10.0.0.1")}}}, Demand{ports: []hostPort{port("10.0.0.2")}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var used Usage
			for _, d := range tc.used {
				used.Add(d, 1)
			}
			if diff := cmp.Diff(tc.want, Admit(tc.d, &used, node)); diff != "" {
				t.Errorf("rejection (-want +got):\n%s", diff)
			}
		})
	}
}
