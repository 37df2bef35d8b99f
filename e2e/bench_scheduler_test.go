package e2e

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/internal/cluster"
)

// BenchmarkConstrainedPods creates ten Deployments of 500 Pods over 500 Nodes in clock mode
// auto. Pods of one Deployment bear no other of it on their Node, and spread over Nodes.
func BenchmarkConstrainedPods(b *testing.B) {
	const deployments, pods = 10, 500
	for range b.N {
		b.StopTimer()
		_, client := startCluster(b, cluster.Options{Ephemeral: true, Mode: engine.Auto, Nodes: pods})
		b.StartTimer()
		before := cpuTime()
		for i := range deployments {
			d := crowd(fmt.Sprintf("d-%d", i), pods, "10m")
			spec := &d.Spec.Template.Spec
			spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{TopologyKey: corev1.LabelHostname, LabelSelector: d.Spec.Selector}},
			}}
			spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{
				MaxSkew: 1, TopologyKey: corev1.LabelHostname, WhenUnsatisfiable: corev1.DoNotSchedule, LabelSelector: d.Spec.Selector,
			}}
			if _, err := client.AppsV1().Deployments("default").Create(b.Context(), d, metav1.CreateOptions{}); err != nil {
				b.Fatal(err)
			}
		}
		b.StopTimer()
		cpu := cpuTime() - before
		list, err := client.AppsV1().Deployments("default").List(b.Context(), metav1.ListOptions{})
		if err != nil {
			b.Fatal(err)
		}
		for i := range list.Items {
			if got := list.Items[i].Status.AvailableReplicas; got != pods {
				b.Fatalf("Deployment %s has %d available Pods, want %d", list.Items[i].Name, got, pods)
			}
		}
		b.ReportMetric(float64(cpu.Microseconds())/(deployments*pods), "cpu-µs/Pod")
		b.StartTimer()
	}
	b.ReportMetric(float64(b.N*deployments*pods)/b.Elapsed().Seconds(), "Pods/s")
	b.ReportMetric(0, "ns/op")
}
