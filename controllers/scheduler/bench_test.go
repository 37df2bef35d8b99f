package scheduler

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// BenchmarkDecide places Pods on Nodes until each has ten, and reports what one costs.
func BenchmarkDecide(b *testing.B) {
	for _, nodes := range []int{2, 50, 500} {
		for kind, edit := range map[string]func(*corev1.Pod, int){
			"plain":       func(*corev1.Pod, int) {},
			"constrained": func(p *corev1.Pod, i int) { constrain(p, i/nodes) },
		} {
			b.Run(fmt.Sprintf("%s-%d", kind, nodes), func(b *testing.B) {
				pods := 0
				for b.Loop() {
					b.StopTimer()
					r := clusterOf(b, nodes)
					b.StartTimer()
					for i := range 10 * nodes {
						p := pod(fmt.Sprintf("p-%d", i))
						edit(p, i)
						node, failure, err := r.decide(b.Context(), p, uint64(i))
						if err != nil || failure != nil {
							b.Fatal(failure, err)
						}
						p.Spec.NodeName = node.Name
						r.snapshot.SetPod(p)
						pods++
					}
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(pods), "µs/Pod")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// constrain makes a Pod one of a group of which each Node has one, spread over zones.
func constrain(p *corev1.Pod, group int) {
	p.Labels = map[string]string{"app": fmt.Sprintf("app-%d", group)}
	antiAffine(p, p.Labels["app"], corev1.LabelHostname)
	spreading(p, "zone")
}

func clusterOf(b *testing.B, nodes int) *Reconciler {
	b.Helper()
	var list []*corev1.Node
	for i := range nodes {
		n := node(fmt.Sprintf("node-%d", i), having("pods", "110"))
		n.Labels["zone"] = fmt.Sprintf("zone-%d", i%2)
		list = append(list, n)
	}
	return over(b, list, nil)
}
