package e2e

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// crashAfter is when the server is killed. Unit: acknowledged writes.
const crashAfter = 25

// TestWorkGoesOnAfterACrash kills the server with SIGKILL in the middle of the
// workload, in clock mode auto, and starts it again on the same data directory:
// every Job that was acknowledged is there, and the workload runs to its end.
// What the store promises is held by TestKilledServersKeepTheirPromises.
func TestWorkGoesOnAfterACrash(t *testing.T) {
	dir := t.TempDir()
	start := func() *server {
		s, err := startServer(dir, append(os.Environ(), "HOME="+dir, "TMPDIR="+dir), "--clock", "auto", "--start-time", "2026-01-01T00:00:00Z")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := start()
	said := createUntilCrash(t, s, crashAfter)
	if len(said.uids) < crashAfter {
		t.Fatalf("only %d writes were acknowledged before the crash, want %d", len(said.uids), crashAfter)
	}

	s = start()
	client := clientOf(t, s)
	for _, j := range compareAcknowledged(t, client, said) {
		if _, err := client.BatchV1().Jobs(j.Namespace).Create(t.Context(), j, createOptions); err != nil {
			t.Errorf("after the crash: %v", err)
		}
	}
	awaitFinished(t, client)
	if err := s.stop(); err != nil {
		t.Error(err)
	}
}

// acknowledged is what a server has said yes to.
type acknowledged struct {
	sync.Mutex
	uids map[string]types.UID
}

func (a *acknowledged) add(name string, uid types.UID) int {
	a.Lock()
	defer a.Unlock()
	a.uids[name] = uid
	return len(a.uids)
}

// createUntilCrash writes the workload's Jobs from four clients at once, and kills the server after so many acknowledgements.
// What a client was told before it saw the crash counts as acknowledged.
func createUntilCrash(t *testing.T, s *server, after int) *acknowledged {
	t.Helper()
	said := &acknowledged{uids: map[string]types.UID{}}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	work := make(chan *batchv1.Job, workloadJobs)
	for _, j := range workload() {
		work <- j
	}
	close(work)
	var kill sync.Once
	note := func(n int) {
		if n >= after {
			kill.Do(func() { s.kill(); stop() })
		}
	}
	var clients sync.WaitGroup
	for range 4 {
		client := clientOf(t, s)
		clients.Go(func() {
			for j := range work {
				created, err := client.BatchV1().Jobs(j.Namespace).Create(ctx, j, createOptions)
				if err != nil {
					return
				}
				note(said.add(j.Name, created.UID))
			}
		})
	}
	clients.Wait()
	return said
}

// compareAcknowledged fails for what is lost, and returns the Jobs that the
// server does not have: those that nobody was told of.
func compareAcknowledged(t *testing.T, client kubernetes.Interface, said *acknowledged) []*batchv1.Job {
	t.Helper()
	has := map[string]types.UID{}
	jobs, err := client.BatchV1().Jobs(metav1.NamespaceDefault).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs.Items {
		has[j.Name] = j.UID
	}
	for name, uid := range said.uids {
		if has[name] != uid && !expires(name) {
			t.Errorf("Job %s with UID %s was acknowledged; after the crash there is %q", name, uid, has[name])
		}
	}
	var left []*batchv1.Job
	for _, j := range workload() {
		if has[j.Name] == "" && said.uids[j.Name] == "" {
			left = append(left, j)
		}
	}
	return left
}

// expires reports whether a Job of the workload has a TTL: in virtual time that
// may be over.
func expires(name string) bool {
	for _, j := range workload() {
		if j.Name == name {
			return j.Spec.TTLSecondsAfterFinished != nil
		}
	}
	return false
}

// finishMax bounds how long the workload may take. Unit: wall time.
const finishMax = 2 * time.Minute

func awaitFinished(t *testing.T, client kubernetes.Interface) {
	t.Helper()
	var running []string
	for deadline := time.Now().Add(finishMax); time.Now().Before(deadline); time.Sleep(untilInterval) {
		jobs, err := client.BatchV1().Jobs(metav1.NamespaceDefault).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		running = nil
		for _, j := range jobs.Items {
			if !finished(&j) {
				running = append(running, j.Name)
			}
		}
		if len(running) == 0 {
			return
		}
	}
	t.Errorf("%v after the crash these have not finished: %v", finishMax, running)
}
