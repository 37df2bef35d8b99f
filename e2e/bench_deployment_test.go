package e2e

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/internal/cluster"
)

// BenchmarkDeployment creates a Deployment of 1,000 replicas over 10 Nodes in clock mode auto,
// and reports how many Pods become ready in a second.
func BenchmarkDeployment(b *testing.B) {
	const replicas = 1000
	var cpu time.Duration
	for range b.N {
		b.StopTimer()
		_, client := startCluster(b, cluster.Options{Ephemeral: true, Mode: engine.Auto, Nodes: 10})
		d := crowd("load", replicas, "10m")
		b.StartTimer()
		before := cpuTime()
		if _, err := client.AppsV1().Deployments("default").Create(b.Context(), d, metav1.CreateOptions{}); err != nil {
			b.Fatal(err)
		}
		cpu += cpuTime() - before
		b.StopTimer()
		available(b, client, d.Name, replicas)
		b.StartTimer()
	}
	b.ReportMetric(float64(b.N*replicas)/b.Elapsed().Seconds(), "Pods/s")
	b.ReportMetric(float64(cpu.Microseconds())/float64(b.N*replicas), "cpu-µs/Pod")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkRollout gives a Deployment of 100 replicas, each of which is ready after 10 s of
// virtual time, another image, and reports how long the rollout takes in clock mode auto.
func BenchmarkRollout(b *testing.B) {
	const replicas = 100
	_, client := startCluster(b, cluster.Options{Ephemeral: true, Mode: engine.Auto, Nodes: 10})
	d := crowd("web", replicas, "10m")
	d.Spec.Template.Spec.Containers[0].ReadinessProbe = &corev1.Probe{
		ProbeHandler:        corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/", Port: intstr.FromInt32(80)}},
		InitialDelaySeconds: 10,
	}
	if _, err := client.AppsV1().Deployments("default").Create(b.Context(), d, metav1.CreateOptions{}); err != nil {
		b.Fatal(err)
	}
	var cpu time.Duration
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		d := available(b, client, d.Name, replicas)
		d.Spec.Template.Spec.Containers[0].Image = []string{"nginx:1.26", "nginx:1.27"}[n%2]
		b.StartTimer()
		before := cpuTime()
		if _, err := client.AppsV1().Deployments("default").Update(b.Context(), d, metav1.UpdateOptions{}); err != nil {
			b.Fatal(err)
		}
		cpu += cpuTime() - before
	}
	available(b, client, d.Name, replicas)
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/rollout")
	b.ReportMetric(float64(cpu.Milliseconds())/float64(b.N), "cpu-ms/rollout")
	b.ReportMetric(0, "ns/op")
}

// available returns a Deployment of which all replicas are up to date and available.
func available(b *testing.B, client kubernetes.Interface, name string, replicas int32) *appsv1.Deployment {
	b.Helper()
	d, err := client.AppsV1().Deployments("default").Get(b.Context(), name, metav1.GetOptions{})
	if err != nil {
		b.Fatal(err)
	}
	if s := d.Status; s.AvailableReplicas != replicas || s.UpdatedReplicas != replicas || s.Replicas != replicas {
		b.Fatalf("Deployment %s has %d Pods, %d of them up to date, %d available, want %d", name, s.Replicas, s.UpdatedReplicas, s.AvailableReplicas, replicas)
	}
	return d
}
