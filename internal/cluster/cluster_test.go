package cluster

import (
	"bufio"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubesim-dev/kubesim/apiserver"
	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// TestAClusterWithoutAPortServesEveryKindOfRequest: plain ones, streams, and both
// again after the cluster was taken back, under which its connections end.
func TestAClusterWithoutAPortServesEveryKindOfRequest(t *testing.T) {
	ctx := t.Context()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c, err := Start(ctx, Options{Ephemeral: true, Mode: engine.Manual, Speed: 1, Seed: 1, Start: start, Nodes: 1, Controllers: []string{"*"},
		Authorization: apiserver.AuthorizationRBAC, CheckTrusted: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.AwaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	config, err := c.RESTConfig()
	if err != nil {
		t.Fatal(err)
	}
	client := kubernetes.NewForConfigOrDie(config)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "shell"}, Spec: corev1.PodSpec{
		Containers: []corev1.Container{{Name: "main", Image: "busybox", Command: []string{"sh", "-c", "echo hello; sleep infinity"}}},
	}}
	if _, err := client.CoreV1().Pods("default").Create(ctx, pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Save(ctx, "pending"); err != nil {
		t.Fatal(err)
	}
	for _, run := range []string{"first", "after a restore"} {
		if err := c.Advance(ctx, time.Minute); err != nil {
			t.Fatal(err)
		}
		if now := c.Status().Now; !now.Equal(start.Add(time.Minute)) {
			t.Errorf("%s: it is %s, want a minute after %s", run, now, start)
		}
		if pod, err := client.CoreV1().Pods("default").Get(ctx, "shell", metav1.GetOptions{}); err != nil || pod.Status.Phase != corev1.PodRunning {
			t.Errorf("%s: the Pod is %s (%v), want Running", run, pod.Status.Phase, err)
		}
		log, err := client.CoreV1().Pods("default").GetLogs("shell", &corev1.PodLogOptions{Follow: true}).Stream(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(log).ReadString('\n'); err != nil || line != "hello\n" {
			t.Errorf("%s: the log begins with %q (%v), want hello", run, line, err)
		}
		log.Close()
		if run == "first" {
			if err := c.Restore("pending"); err != nil {
				t.Fatal(err)
			}
			if err := c.Resume(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
}
