package endpointslice

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func service() *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", UID: "s1", Labels: map[string]string{"app": "web"}},
		Spec:       corev1.ServiceSpec{ClusterIP: "10.96.0.7", Ports: []corev1.ServicePort{{Name: "http", Protocol: corev1.ProtocolTCP, Port: 80, TargetPort: intstr.FromString("http")}}},
	}
}

// pods are n ready Pods whose port http is a number.
func pods(from, n int, port int32) []endpoint {
	var all []endpoint
	for i := from; i < from+n; i++ {
		all = append(all, newEndpoint(service(), &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprint("p", i), UID: types.UID(fmt.Sprint("u", i))},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: port, Protocol: corev1.ProtocolTCP}}}}},
			Status: corev1.PodStatus{
				PodIP:      fmt.Sprintf("10.244.%d.%d", i/250, i%250+1),
				Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
			},
		}, &corev1.Node{}))
	}
	return all
}

func unready(all []endpoint) []endpoint {
	no := false
	for i := range all {
		all[i].Conditions.Ready, all[i].Conditions.Serving = &no, &no
	}
	return all
}

// carryOut is the slices after a plan, under names in the order of their creation.
func carryOut(have []*discoveryv1.EndpointSlice, p plan) []*discoveryv1.EndpointSlice {
	byName := map[string]*discoveryv1.EndpointSlice{}
	for _, slice := range append(append([]*discoveryv1.EndpointSlice{}, have...), p.Update...) {
		byName[slice.Name] = slice
	}
	var out []*discoveryv1.EndpointSlice
	for _, slice := range have {
		gone := false
		for _, d := range p.Delete {
			gone = gone || d.Name == slice.Name
		}
		if !gone {
			out = append(out, byName[slice.Name])
		}
	}
	for i, slice := range p.Create {
		slice.Name = fmt.Sprintf("web-%d", len(have)+i)
		out = append(out, slice)
	}
	return out
}

// text is "port:endpoints(ready)" of each slice.
func text(all []*discoveryv1.EndpointSlice) string {
	var out []string
	for _, slice := range all {
		ports := "-"
		if len(slice.Ports) > 0 {
			ports = fmt.Sprint(*slice.Ports[0].Port)
		}
		ready := 0
		for _, e := range slice.Endpoints {
			if *e.Conditions.Ready {
				ready++
			}
		}
		out = append(out, fmt.Sprintf("%s %s:%d(%d)", slice.Name, ports, len(slice.Endpoints), ready))
	}
	return strings.Join(out, ", ")
}

func TestDecide(t *testing.T) {
	two := append(pods(0, 2, 8080), pods(2, 1, 9090)...)
	for name, tc := range map[string]struct {
		steps [][]endpoint
		want  string
	}{
		"a Service without Pods has a placeholder":       {[][]endpoint{nil}, "web-0 -:0(0)"},
		"the first Pod takes the placeholder's slice":    {[][]endpoint{nil, pods(0, 1, 80)}, "web-0 80:1(1)"},
		"without its last Pod a Service keeps the slice": {[][]endpoint{pods(0, 1, 80), nil}, "web-0 -:0(0)"},
		"a port of two numbers needs two slices":         {[][]endpoint{two}, "web-0 8080:2(2), web-1 9090:1(1)"},
		"a port that is gone takes its slice along":      {[][]endpoint{two, pods(0, 2, 8080)}, "web-0 8080:2(2)"},
		"a Pod that is not ready stays":                  {[][]endpoint{unready(pods(0, 1, 80))}, "web-0 80:1(0)"},
		"a slice holds a hundred":                        {[][]endpoint{pods(0, 101, 80)}, "web-0 80:100(100), web-1 80:1(1)"},
		"the slice with room is filled":                  {[][]endpoint{pods(0, 101, 80), pods(0, 150, 80)}, "web-0 80:100(100), web-1 80:50(50)"},
		"endpoints stay where they are":                  {[][]endpoint{pods(0, 101, 80), pods(50, 51, 80)}, "web-0 80:50(50), web-1 80:1(1)"},
	} {
		t.Run(name, func(t *testing.T) {
			var have []*discoveryv1.EndpointSlice
			for _, endpoints := range tc.steps {
				have = carryOut(have, decide(service(), endpoints, have))
				if p := decide(service(), endpoints, have); len(p.Create)+len(p.Update)+len(p.Delete) > 0 {
					t.Errorf("a second look writes %+v", p)
				}
			}
			if got := text(have); got != tc.want {
				t.Errorf("slices %q, want %q", got, tc.want)
			}
		})
	}
}
