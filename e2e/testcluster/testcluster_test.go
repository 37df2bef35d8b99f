package testcluster

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
)

const retried = `
apiVersion: batch/v1
kind: Job
metadata: {name: retried}
spec:
  backoffLimit: 2
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: main
        image: busybox
        command: [sh, -c, "echo try; sleep 30; exit 3"]
`

// ended returns nil when a Job has a condition.
func ended(t *testing.T, c *Cluster, name string, want batchv1.JobConditionType) func() error {
	return func() error {
		job, err := c.Client().BatchV1().Jobs("default").Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, condition := range job.Status.Conditions {
			if condition.Type == want && condition.Status == corev1.ConditionTrue {
				return nil
			}
		}
		return fmt.Errorf("Job %s is not %s: %+v", name, want, job.Status)
	}
}

func TestAJobFailsAfterItsRetries(t *testing.T) {
	t.Parallel()
	c := Start(t, Config{})
	c.Apply(retried)
	c.Eventually(15*time.Minute, ended(t, c, "retried", batchv1.JobFailed))
	c.Golden(t, "retried")
	pods, err := c.Client().CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(pods.Items) != 3 {
		t.Fatalf("there are %d Pods (%v), want 3", len(pods.Items), err)
	}
	for i := range pods.Items {
		if log := c.Log(&pods.Items[i], ""); log != "try\n" {
			t.Errorf("the log is %q, want try", log)
		}
		if events := c.Events(&pods.Items[i]); len(events) != 5 {
			t.Errorf("there are %d Events, want 5: Scheduled, Pulling, Pulled, Created, Started", len(events))
		}
	}
}

func TestTwoRunsAreTheSame(t *testing.T) {
	t.Parallel()
	var logs [3]string
	for i, seed := range []uint64{7, 7, 8} {
		c := Start(t, Config{Seed: seed, Mode: Auto})
		c.Apply(retried)
		if err := ended(t, c, "retried", batchv1.JobFailed)(); err != nil {
			t.Error(err)
		}
		logs[i] = c.EventLog() + c.Timeline()
	}
	if logs[0] != logs[1] {
		t.Errorf("two runs with one seed differ:\n%s\n%s", logs[0], logs[1])
	}
	if logs[0] == logs[2] {
		t.Error("two seeds give one run")
	}
}

func TestARestoredClusterGoesTheSameWay(t *testing.T) {
	t.Parallel()
	c := Start(t, Config{})
	c.Apply(retried)
	c.Snapshot("created")
	var ends [2]string
	for i := range ends {
		c.Eventually(15*time.Minute, ended(t, c, "retried", batchv1.JobFailed))
		timeline := c.Timeline()
		ends[i] = timeline[strings.LastIndex(timeline, "retried-"):]
		ends[i] += c.Now().String()
		if i == 0 {
			c.Restore("created")
		}
	}
	if ends[0] != ends[1] {
		t.Errorf("the first way ended with\n%s\nthe second with\n%s", ends[0], ends[1])
	}
}

func TestAnInvalidConfigSaysWhatToDo(t *testing.T) {
	for name, tc := range map[string]struct {
		config Config
		want   []string
	}{
		"realtime is refused":              {Config{Mode: "realtime"}, []string{`Mode "realtime": want testcluster.Manual or testcluster.Auto`}},
		"every wrong field is named":       {Config{Nodes: -2, Controllers: []string{"jbo"}}, []string{"Nodes -2", `Controllers: "jbo": no such controller`}},
		"no controller at all is an error": {Config{Controllers: []string{}}, []string{"Controllers is empty"}},
		"an instant out of range":          {Config{Start: time.Unix(-1e10, 0)}, []string{"Start 1653-"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{name: "TestUser"}
			f.run(func() { Start(f, tc.config) })
			for _, want := range tc.want {
				if !strings.Contains(f.failure, want) {
					t.Errorf("the test fails with %q, want %q", f.failure, want)
				}
			}
		})
	}
}

// fake is a user's test.
type fake struct {
	name, failure, log string
	cleanups           []func()
}

func (f *fake) Helper()                   {}
func (f *fake) Cleanup(g func())          { f.cleanups = append(f.cleanups, g) }
func (f *fake) Name() string              { return f.name }
func (f *fake) Failed() bool              { return f.failure != "" }
func (f *fake) Logf(s string, a ...any)   { f.log += fmt.Sprintf(s, a...) + "\n" }
func (f *fake) Errorf(s string, a ...any) { f.failure += fmt.Sprintf(s, a...) + "\n" }
func (f *fake) Fatalf(s string, a ...any) { f.Errorf(s, a...); panic(errFatal) }

var errFatal = errors.New("fatal")

// run runs the test with its cleanups.
func (f *fake) run(test func()) {
	defer func() {
		p := recover()
		for i := range f.cleanups {
			f.cleanups[len(f.cleanups)-1-i]()
		}
		if err, ok := p.(error); p != nil && (!ok || !errors.Is(err, errFatal)) {
			panic(p)
		}
	}()
	test()
}

func TestAFailedTestSaysWhatHappenedAndHowToSeeItAgain(t *testing.T) {
	f := &fake{name: "TestUser/a case (1)"}
	f.run(func() {
		c := Start(f, Config{Seed: 9})
		klog.Error("one of upstream's errors")
		c.Apply(retried)
		c.Eventually(time.Minute, func() error { return errors.New("want the impossible") })
	})
	if want := "after 1m0s of virtual time, at 2026-01-01T00:01:00Z: want the impossible"; !strings.Contains(f.failure, want) {
		t.Errorf("the failure is %q, want %q", f.failure, want)
	}
	for _, want := range []string{"seed 9", "SuccessfulCreate: Created pod", "Error, exit code 3", "one of upstream's errors", `go test -run '^TestUser$/^a case \(1\)$' -testcluster.seed=9`} {
		if !strings.Contains(f.log, want) {
			t.Errorf("the log has no %q:\n%s", want, f.log)
		}
	}
}
