package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/ptr"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/internal/cluster"
	"github.com/kubesim-dev/kubesim/internal/memory"
)

// startCluster starts a cluster in this process and returns a client that
// speaks to it over HTTPS, as fast as it can, in protobuf.
func startCluster(b *testing.B, o cluster.Options) (*cluster.Cluster, *kubernetes.Clientset) {
	b.Helper()
	memory.TuneGC()
	o.DataDir, o.Listen, o.Speed, o.Seed = b.TempDir(), "127.0.0.1:0", 1, 1
	o.Kubeconfig = filepath.Join(o.DataDir, "kubeconfig")
	o.Controllers, o.Authorization = []string{"*"}, "RBAC"
	c, err := cluster.Start(b.Context(), o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	if err := c.AwaitReady(b.Context()); err != nil {
		b.Fatal(err)
	}
	return c, newClient(b, c.Kubeconfig())
}

func newClient(b testing.TB, kubeconfig string) *kubernetes.Clientset {
	b.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		b.Fatal(err)
	}
	config.QPS = -1
	config.ContentConfig = rest.ContentConfig{ContentType: "application/vnd.kubernetes.protobuf", AcceptContentTypes: "application/vnd.kubernetes.protobuf"}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		b.Fatal(err)
	}
	return client
}

func newJob(name string, pods int32, backoffLimit int32, script string) *batchv1.Job {
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: batchv1.JobSpec{
			Completions: ptr.To(pods), Parallelism: ptr.To(pods), BackoffLimit: ptr.To(backoffLimit),
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				RestartPolicy: corev1.RestartPolicyNever,
				Containers:    []corev1.Container{{Name: "c", Image: "busybox", Command: []string{"sh", "-c", script}}},
			}},
		},
	}
}

// BenchmarkPods creates 50 Jobs of 20 Pods in clock mode auto, each Pod
// printing, sleeping and ending, and reports Pods per second.
func BenchmarkPods(b *testing.B) {
	const jobs, pods = 50, 20
	_, client := startCluster(b, cluster.Options{Ephemeral: true, Mode: engine.Auto, Nodes: 10})
	b.ResetTimer()
	before := cpuTime()
	for n := range b.N {
		for i := range jobs {
			job := newJob(fmt.Sprintf("load-%d-%d", n, i), pods, 6, "echo start; sleep 1; exit 0")
			if _, err := client.BatchV1().Jobs("default").Create(b.Context(), job, metav1.CreateOptions{}); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.StopTimer()
	cpu := cpuTime() - before
	list, err := client.BatchV1().Jobs("default").List(b.Context(), metav1.ListOptions{})
	if err != nil {
		b.Fatal(err)
	}
	for i := range list.Items {
		if got := list.Items[i].Status.Succeeded; got != pods {
			b.Fatalf("Job %s has %d succeeded Pods, want %d", list.Items[i].Name, got, pods)
		}
	}
	b.ReportMetric(float64(b.N*jobs*pods)/b.Elapsed().Seconds(), "Pods/s")
	b.ReportMetric(float64(cpu.Microseconds())/float64(b.N*jobs*pods), "cpu-µs/Pod")
	b.ReportMetric(0, "ns/op")
}

// cpuTime is what this process, server and client, has used so far: of the
// figures here the one that a noisy machine disturbs least.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkBackoff runs a Job with backoffLimit 6 that always fails: ten and a
// half minutes of back-off in clock mode auto.
func BenchmarkBackoff(b *testing.B) {
	_, client := startCluster(b, cluster.Options{Ephemeral: true, Mode: engine.Auto, Nodes: 2})
	for n := 0; b.Loop(); n++ {
		job := newJob(fmt.Sprintf("failing-%d", n), 1, 6, "exit 3")
		if _, err := client.BatchV1().Jobs("default").Create(b.Context(), job, metav1.CreateOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkConfigMaps measures requests of 16 clients.
func BenchmarkConfigMaps(b *testing.B) {
	const clients = 16
	for _, ephemeral := range []bool{true, false} {
		kind := map[bool]string{true: "ephemeral", false: "durable"}[ephemeral]
		c, client := startCluster(b, cluster.Options{Ephemeral: ephemeral, Mode: engine.Realtime, Nodes: 0})
		configMaps := client.CoreV1().ConfigMaps("default")
		object := func(n int64) *corev1.ConfigMap {
			return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("load-%d", n)}, Data: map[string]string{"key": "value"}}
		}
		var created atomic.Int64
		for _, verb := range []struct {
			name string
			do   func(ctx context.Context, n int64) error
		}{
			{"create", func(ctx context.Context, n int64) error {
				_, err := configMaps.Create(ctx, object(created.Add(1)), metav1.CreateOptions{})
				return err
			}},
			{"get", func(ctx context.Context, n int64) error {
				_, err := configMaps.Get(ctx, object(1+n%created.Load()).Name, metav1.GetOptions{})
				return err
			}},
			{"update", func(ctx context.Context, n int64) error {
				cm := object(1 + n%created.Load())
				cm.Data["n"] = fmt.Sprint(n)
				_, err := configMaps.Update(ctx, cm, metav1.UpdateOptions{})
				return err
			}},
		} {
			b.Run(verb.name+"/"+kind, func(b *testing.B) {
				parallel(b, clients, verb.do)
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
			})
		}
		c.Close()
	}
}

// parallel spreads b.N calls over so many goroutines.
func parallel(b *testing.B, workers int, do func(context.Context, int64) error) {
	var next atomic.Int64
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			for {
				n := next.Add(1)
				if n > int64(b.N) {
					return
				}
				if err := do(b.Context(), n); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
}

// BenchmarkWatchLatency measures the time from the moment that a write is sent
// until a watcher, another connection of the same client, has seen it.
func BenchmarkWatchLatency(b *testing.B) {
	_, client := startCluster(b, cluster.Options{Ephemeral: true, Mode: engine.Realtime, Nodes: 0})
	configMaps := client.CoreV1().ConfigMaps("default")
	watcher, err := configMaps.Watch(b.Context(), metav1.ListOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer watcher.Stop()
	var took []time.Duration
	for n := 0; b.Loop(); n++ {
		name := fmt.Sprintf("seen-%d", n)
		sent := time.Now()
		if _, err := configMaps.Create(b.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
			b.Fatal(err)
		}
		for event := range watcher.ResultChan() {
			if cm, ok := event.Object.(*corev1.ConfigMap); ok && cm.Name == name {
				break
			}
		}
		took = append(took, time.Since(sent))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// BenchmarkListPods lists 5,000 Pods.
func BenchmarkListPods(b *testing.B) {
	const pods = 5000
	_, client := startCluster(b, cluster.Options{Ephemeral: true, Mode: engine.Realtime, Nodes: 0})
	pod := newJob("", 1, 0, "exit 0").Spec.Template.Spec
	parallelCreate(b, client, pods, pod)
	for b.Loop() {
		list, err := client.CoreV1().Pods("default").List(b.Context(), metav1.ListOptions{ResourceVersion: "0"})
		if err != nil {
			b.Fatal(err)
		}
		if len(list.Items) != pods {
			b.Fatalf("listed %d Pods, want %d", len(list.Items), pods)
		}
	}
}

func parallelCreate(b *testing.B, client kubernetes.Interface, count int, spec corev1.PodSpec) {
	b.Helper()
	var next atomic.Int64
	var wait sync.WaitGroup
	for range 16 {
		wait.Go(func() {
			for n := next.Add(1); n <= int64(count); n = next.Add(1) {
				pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("pod-%d", n)}, Spec: spec}
				if _, err := client.CoreV1().Pods("default").Create(b.Context(), pod, metav1.CreateOptions{}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
}
