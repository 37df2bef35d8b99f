package operator

import (
	"context"
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
	"github.com/kubesim-dev/kubesim/e2e/testcluster"
)

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard())
	os.Exit(m.Run())
}

// start runs the operator beside a cluster until the test ends.
func start(t *testing.T, c *testcluster.Cluster) {
	t.Helper()
	m, err := manager.New(c.RESTConfig(), manager.Options{
		Metrics:    metricsserver.Options{BindAddress: "0"},             // no port
		Controller: config.Controller{SkipNameValidation: ptr.To(true)}, // one operator for each test
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := (&Tasks{Client: m.GetClient()}).SetupWithManager(m); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Start(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the operator: %v", err)
		}
	})
}

const task = `
apiVersion: v1
kind: ConfigMap
metadata: {name: nightly, labels: {example.com/task: ""}}
data: {command: "echo working; sleep 3600"}
`

// state checks what the operator says of the task.
func state(t *testing.T, c *testcluster.Cluster, want string) func() error {
	return func() error {
		task, err := c.Client().CoreV1().ConfigMaps("default").Get(t.Context(), "nightly", metav1.GetOptions{})
		if err == nil && task.Data["state"] != want {
			err = fmt.Errorf("the state is %q, want %s", task.Data["state"], want)
		}
		return err
	}
}

// hasEnded checks that the Job has ended so.
func hasEnded(t *testing.T, c *testcluster.Cluster, want string) func() error {
	return func() error {
		job, err := c.Client().BatchV1().Jobs("default").Get(t.Context(), "nightly", metav1.GetOptions{})
		if err == nil && stateOf(job) != want {
			err = fmt.Errorf("the Job is %s, want %s", stateOf(job), want)
		}
		return err
	}
}

// TestATaskIsRun shows the pattern: Await what the operator does, at an instant that
// stands still; then let time pass, Eventually.
func TestATaskIsRun(t *testing.T) {
	t.Parallel()
	c := testcluster.Start(t, testcluster.Config{})
	start(t, c)
	c.Apply(task)
	c.Await(state(t, c, "Running"))
	c.Eventually(2*time.Hour, hasEnded(t, c, "Complete"))
	c.Await(state(t, c, "Complete"))
}

// TestTheAPIFails: the operator's requests are refused now and then. It tries again on
// its own clock; the cluster's stands still meanwhile, so that the Job begins at once.
func TestTheAPIFails(t *testing.T) {
	t.Parallel()
	c := testcluster.Start(t, testcluster.Config{})
	start(t, c)
	created := c.Now()
	c.Fault(&testcluster.Fault{
		ObjectMeta: metav1.ObjectMeta{Name: "flaky"},
		Spec: v1alpha1.FaultSpec{
			Requests: &v1alpha1.RequestMatch{Verbs: []string{"create"}, Resources: []string{"jobs.batch"}, UserAgents: []string{"*"}},
			Error:    &v1alpha1.RequestError{Code: 500}, Limit: ptr.To[int32](3),
		},
	})
	c.Apply(task)
	c.Await(state(t, c, "Running"))
	job, err := c.Client().BatchV1().Jobs("default").Get(t.Context(), "nightly", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !job.CreationTimestamp.Time.Equal(created) {
		t.Errorf("the Job was created at %s, want %s", job.CreationTimestamp, created)
	}
}

// TestTimeTravel goes two ways from one snapshot: the nodes stay, or they are cut off for
// good. What the operator had seen is undone, too: its watches end, and it lists anew.
func TestTimeTravel(t *testing.T) {
	t.Parallel()
	c := testcluster.Start(t, testcluster.Config{})
	start(t, c)
	c.Apply(task)
	c.Await(state(t, c, "Running"))
	c.Advance(30 * time.Minute)
	c.Snapshot("half")

	c.Eventually(time.Hour, hasEnded(t, c, "Complete"))
	c.Await(state(t, c, "Complete"))

	c.Restore("half")
	c.Await(state(t, c, "Running"))
	c.Fault(&testcluster.Fault{
		ObjectMeta: metav1.ObjectMeta{Name: "cut"},
		Spec:       v1alpha1.FaultSpec{Nodes: "*", NotReady: &v1alpha1.NotReady{}},
	})
	c.Consistently(2*time.Hour, hasEnded(t, c, "Running"))
	c.Await(state(t, c, "Running"))
}

// TestTheEndIsTheSame runs all of it twice: the operator's goroutines take turns as they
// like, but the Job's times at the end are the same.
func TestTheEndIsTheSame(t *testing.T) {
	t.Parallel()
	var ends [2]batchv1.JobStatus
	for i := range ends {
		c := testcluster.Start(t, testcluster.Config{Seed: 7})
		start(t, c)
		c.Apply(task)
		c.Await(state(t, c, "Running"))
		c.Eventually(2*time.Hour, hasEnded(t, c, "Complete"))
		job, err := c.Client().BatchV1().Jobs("default").Get(t.Context(), "nightly", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		ends[i] = job.Status
	}
	for i, end := range ends[1:] {
		if !end.StartTime.Equal(ends[0].StartTime) || end.Succeeded != ends[0].Succeeded {
			t.Errorf("run %d ends with %+v, the first with %+v", i+2, end, ends[0])
		}
	}
}

// TestInABubble needs no Await: in a bubble of testing/synctest a sleep returns when
// nobody in it has anything left to do before that instant of the bubble's own clock,
// by which the operator measures its waits. It takes no time, and the cluster's clock does not move.
func TestInABubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := testcluster.Start(t, testcluster.Config{})
		start(t, c)
		c.Apply(task)
		time.Sleep(10 * time.Second)
		if err := state(t, c, "Running")(); err != nil {
			t.Error(err)
		}
		c.Eventually(2*time.Hour, hasEnded(t, c, "Complete"))
		time.Sleep(10 * time.Second)
		if err := state(t, c, "Complete")(); err != nil {
			t.Error(err)
		}
	})
}
