package e2e

import (
	"fmt"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// hogs are programs that never wait, or almost never.
var hogs = []string{
	"while :; do :; done",
	"yes >/dev/null",
	"while :; do expr 1 + 1 >/dev/null; done",
	"awk 'BEGIN { while (1) i++ }'",
	"while :; do i=0; while [ $i -lt 1000 ]; do i=$((i+1)); done; sleep 0.001; done",
}

// hostile is how many Pods of these run: nearly as many as two nodes take.
const hostile = 200

// stepWait is how long a step of a Job may wait beside hostile Pods, jobSteps how many a
// Job has to wait for, one after the other, and jobAlone what it takes without them: an
// image is pulled, a container created. Unit: wall time.
const (
	stepWait = 2 * time.Second
	jobSteps = 10
	jobAlone = 10 * time.Second
)

// TestAJobBesideHostilePods runs a Job in real time, beside Pods that ask for far more
// than the machine can do.
func TestAJobBesideHostilePods(t *testing.T) {
	s := newServer(t, "--ephemeral", "--clock", "realtime", "--seed", "1")
	client, ctx := clientOf(t, s), t.Context()
	for i := range hostile {
		pod := attacker(fmt.Sprintf("hostile-%03d", i), []string{"busybox", "sh", "-c", hogs[i%len(hogs)]})
		if _, err := client.CoreV1().Pods("default").Create(ctx, pod, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	running := func() (n int) {
		pods, err := client.CoreV1().Pods("default").List(ctx, metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range pods.Items {
			if pods.Items[i].Status.Phase == corev1.PodRunning {
				n++
			}
		}
		return n
	}
	eventuallyIn(t, patience, func() error {
		if n := running(); n < hostile {
			return fmt.Errorf("%d hostile Pods run, want %d", n, hostile)
		}
		return nil
	})
	for i := range 3 {
		j := filling(fmt.Sprintf("honest-%d", i), 1)
		begun := time.Now()
		if _, err := client.BatchV1().Jobs(j.Namespace).Create(ctx, j, createOptions); err != nil {
			t.Fatal(err)
		}
		eventuallyIn(t, jobAlone+jobSteps*stepWait, func() error {
			got, err := client.BatchV1().Jobs(j.Namespace).Get(ctx, j.Name, metav1.GetOptions{})
			if err == nil && !isComplete(got) {
				err = fmt.Errorf("the Job is not complete: %+v", got.Status)
			}
			return err
		})
		t.Logf("Job %d took %s", i, time.Since(begun))
	}
	if n := running(); n != hostile {
		t.Errorf("%d hostile Pods run still, of %d", n, hostile)
	}
}

func isComplete(j *batchv1.Job) bool {
	for _, c := range j.Status.Conditions {
		if c.Type == batchv1.JobComplete && c.Status == corev1.ConditionTrue {
			return true
		}
	}
	return false
}
