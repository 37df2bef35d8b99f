package e2e

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// attacks are containers that would take all of a host's time or memory; the unit
// tests of kubelet-sim/program have more of them, one by one. They never end by
// themselves, or are ended for the memory that they want.
func attacks() map[string][]string {
	sh := func(script string) []string { return []string{"busybox", "sh", "-c", script} }
	bash := func(script string) []string { return []string{"debian", "bash", "-c", script} }
	return map[string][]string{
		"loop":           sh("while :; do :; done"),
		"output":         sh("yes"),
		"output-to-file": sh("yes > /tmp/f"),
		"output-to-node": sh("while :; do yes | head -n 10000 > /node/f; done"),
		"fork-bomb":      sh("f() { f | f & }; f; wait"),
		"shells":         sh("sh -c 'while :; do sh -c \"sleep 100\" & done'"),
		"braces":         bash("echo {1..1000000000}"),
		"brace-loop":     bash("for i in {1..1000000000}; do :; done"),
		"recursion":      sh("f() { f; }; f"),
		"growth":         sh("x=aaaaaaaaaa; while :; do x=$x$x; done"),
		"array":          sh("awk 'BEGIN { while (1) a[i++] = \"some text\" i }'"),
		"files":          sh("i=0; while :; do echo > /tmp/$i; i=$((i+1)); done"),
		"directories":    sh("while mkdir d && cd d; do :; done"),
		"links":          sh("ln -s /tmp/b /tmp/a; ln -s /tmp/a /tmp/b; while :; do cat /tmp/a; done"),
		"find":           sh("find / -exec find / -exec find / \\; \\;"),
		"zeroes":         sh("tail /dev/zero"),
		"dials":          sh("while :; do wget -qO- http://127.0.0.1:6443 http://10.96.0.1 http://example.com; nc -w 1 169.254.169.254 80; done"),
	}
}

// promptness bounds half of the requests of others while all attacks are under way. An
// idle server takes a millisecond or two; half of many is what a busy machine and the
// race detector, which alone takes ten times as long, leave alone. One that waited for
// the attackers would take many seconds. Unit: wall time.
const promptness = time.Second

// patience is for a Pod among the attackers: each of its steps waits for a turn of each of
// them, which take seconds under the race detector. Unit: wall time.
const patience = 10 * time.Minute

// TestAttackersHoldUpNobody runs all attacks at once in real time. Others are answered
// meanwhile, and their Pods run to their end.
func TestAttackersHoldUpNobody(t *testing.T) {
	h := newHome(t)
	s, err := startServer(h.dir, h.env, "--ephemeral", "--clock", "realtime", "--seed", "1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	client := newClient(t, s.kubeconfig)
	ctx := t.Context()
	pods, words := client.CoreV1().Pods("default"), client.CoreV1().ConfigMaps("default")
	for name, argv := range attacks() {
		if _, err := pods.Create(ctx, attacker(name, argv), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	await := func(name string, phases ...corev1.PodPhase) {
		eventuallyIn(t, patience, func() error {
			pod, err := pods.Get(ctx, name, metav1.GetOptions{})
			if err == nil && !slices.Contains(phases, pod.Status.Phase) {
				err = fmt.Errorf("Pod %s is %s, want %v", name, pod.Status.Phase, phases)
			}
			return err
		})
	}
	for name := range attacks() {
		await(name, corev1.PodRunning, corev1.PodFailed, corev1.PodSucceeded)
	}
	var took []time.Duration
	for i := range 100 {
		start := time.Now()
		if _, err := words.Create(ctx, word(i), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(start))
		start = time.Now()
		if _, err := words.Get(ctx, word(i).Name, metav1.GetOptions{}); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	t.Logf("of %d requests half took less than %v, the slowest %v", len(took), took[len(took)/2], took[len(took)-1])
	if half := took[len(took)/2]; half > promptness {
		t.Errorf("half of the requests took longer than %v, want %v at most", half, promptness)
	}
	if _, err := pods.Create(ctx, attacker("honest", []string{"busybox", "echo", "done"}), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	await("honest", corev1.PodSucceeded)
	await("loop", corev1.PodRunning) // they have not just ended
	await("output", corev1.PodRunning)
	log, err := pods.GetLogs("honest", &corev1.PodLogOptions{}).DoRaw(context.WithoutCancel(ctx))
	if err != nil || string(log) != "done\n" {
		t.Errorf("the honest Pod's log: %q, %v", log, err)
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
}

func attacker(name string, argv []string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever,
			Volumes:       []corev1.Volume{{Name: "node", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/tmp"}}}},
			Containers: []corev1.Container{{
				Name: "c", Image: argv[0], Command: argv[1:], ImagePullPolicy: corev1.PullIfNotPresent,
				VolumeMounts: []corev1.VolumeMount{{Name: "node", MountPath: "/node"}},
			}},
		},
	}
}
