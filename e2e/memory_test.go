package e2e

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// memoryBudget is what the Pods of the attack may hold, residentMax what the server's
// process may have held at its worst: the Pods' bytes, half as much again and 512 MiB
// before garbage is collected harder (memory.SoftLimit), and the pages of its
// program and its store that lie in memory. Unit: bytes.
const (
	memoryBudget = "256Mi"
	residentMax  = 5 << 28
)

// hoarders are how many Pods of each kind there are.
const hoarders = 30

// hoard is a container that would hold tens or hundreds of megabytes of the host's memory.
// It starts fewer processes than a container may have (512): a shell that cannot fork ends
// and gives back what it holds.
type hoard struct{ kind, script string }

func hoards() []hoard {
	return []hoard{
		{"logs", "yes $(head -c 900 /dev/zero | tr '\\0' x)"},
		{"files", "head -c 60000000 /dev/zero > /tmp/f; sleep 100000"},
		{"volumes", "head -c 20000000 /dev/zero > /node/$HOSTNAME; head -c 60000000 /dev/zero > /scratch/f; sleep 100000"},
		{"nameless", "i=3; while [ $i -lt 9 ]; do eval \"exec $i>/tmp/f\"; eval \"head -c 20000000 /dev/zero >&$i\"; rm /tmp/f; i=$((i+1)); done; sleep 100000"},
		{"memory", "x=0123456789abcdef; for i in $(seq 15); do x=$x$x; done; for i in $(seq 100); do eval \"y$i=\\$x.$i\"; done; sleep 100000"},
		{"subshells", "x=0123456789abcdef; for i in $(seq 15); do x=$x$x; done; for i in $(seq 200); do (x=$x.$i; sleep 100000; :) & done; wait"},
		{"pipes", "for i in $(seq 160); do yes | sleep 100000 & done; wait"},
		{"downloads", "head -c 10000000 /dev/zero > /tmp/f; httpd -p 8080 -h /tmp; while :; do wget -q -O /dev/null http://127.0.0.1:8080/f & sleep 0.01; done"},
		{"sockets", "nc -lk -p 9000 -e sleep 100000 & sleep 1; for i in $(seq 120); do yes | nc 127.0.0.1 9000 & done; wait"},
	}
}

// TestPodsShareOneMemory lets many Pods of each kind hold what they can. The server stays
// within its bound, others go on, and it ends cleanly.
func TestPodsShareOneMemory(t *testing.T) {
	for _, h := range hoards() {
		t.Run(h.kind, h.attack)
	}
}

func (h hoard) attack(t *testing.T) {
	s := newServer(t, "--ephemeral", "--clock", "realtime", "--seed", "1", "--memory", memoryBudget)
	client := newClient(t, s.kubeconfig)
	ctx := t.Context()
	for i := range hoarders {
		if _, err := client.CoreV1().Pods("default").Create(ctx, hoarder(fmt.Sprintf("%s-%d", h.kind, i), h.script), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	eventuallyIn(t, patience, func() error { return someFailed(ctx, client) })
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "honest"}, Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{
		Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{
			Name: "c", Image: "busybox", Command: []string{"sh", "-c", "echo text > /tmp/f; cat /tmp/f"},
		}}},
	}}}
	if _, err := client.BatchV1().Jobs("default").Create(ctx, job, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventuallyIn(t, patience, func() error { return succeeded(ctx, client) })
	most := mostResident(t, s.cmd.Process.Pid)
	t.Logf("the server held %d MiB at most", most>>20)
	if most > raceFactor*residentMax {
		t.Errorf("the server held %d MiB, want %d at most", most>>20, residentMax>>20)
	}
}

// someFailed reports whether Pods were treated as on a real node: evicted, or with a
// process that was killed.
func someFailed(ctx context.Context, client kubernetes.Interface) error {
	pods, err := client.CoreV1().Pods("default").List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for i := range pods.Items {
		if s := pods.Items[i].Status; s.Phase == corev1.PodFailed && (s.Reason == "Evicted" || s.ContainerStatuses[0].State.Terminated.Reason == "OOMKilled") {
			return nil
		}
	}
	return fmt.Errorf("of %d Pods none has failed", len(pods.Items))
}

func succeeded(ctx context.Context, client kubernetes.Interface) error {
	job, err := client.BatchV1().Jobs("default").Get(ctx, "honest", metav1.GetOptions{})
	if err == nil && job.Status.Succeeded == 0 {
		err = fmt.Errorf("the honest Job: %+v", job.Status)
	}
	return err
}

// hoarder is a Pod that writes to its own file system, to a volume and to its node's.
func hoarder(name, script string) *corev1.Pod {
	pod := attacker(name, []string{"busybox", "sh", "-c", script})
	pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: "scratch"})
	c := &pod.Spec.Containers[0]
	c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: "scratch", MountPath: "/scratch"})
	return pod
}

// mostResident is the most that a process has held of the machine's memory, with what it
// has mapped of files. Unit: bytes.
func mostResident(t *testing.T, pid int) int64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kb << 10
		}
	}
	t.Fatal("/proc has no VmHWM: this test is for Linux")
	return 0
}
