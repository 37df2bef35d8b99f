package testcluster_test

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
	"github.com/kubesim-dev/kubesim/e2e/testcluster"
)

// example stands for a *testing.T, which examples do not have.
type example struct{ cleanups []func() }

func (e *example) Helper()                      {}
func (e *example) Cleanup(f func())             { e.cleanups = append(e.cleanups, f) }
func (e *example) Name() string                 { return "Example" }
func (e *example) Failed() bool                 { return false }
func (e *example) Logf(string, ...any)          {}
func (e *example) Errorf(text string, a ...any) { panic(fmt.Sprintf(text, a...)) }
func (e *example) Fatalf(text string, a ...any) { panic(fmt.Sprintf(text, a...)) }
func (e *example) end() {
	for i := range e.cleanups {
		e.cleanups[len(e.cleanups)-1-i]()
	}
}

const fails = `
apiVersion: batch/v1
kind: Job
metadata: {name: import}
spec:
  backoffLimit: 6
  template:
    spec:
      restartPolicy: Never
      containers:
      - {name: main, image: example.com/import:1}
`

// A Job that fails seven times takes ten minutes and a half of virtual time, and
// milliseconds of the test's.
func ExampleStart() {
	t := &example{} // in a test: func TestImport(t *testing.T)
	defer t.end()
	c := testcluster.Start(t, testcluster.Config{})
	c.Script(&testcluster.PodScript{
		ObjectMeta: metav1.ObjectMeta{Name: "import"},
		Spec: v1alpha1.PodScriptSpec{
			Match:    v1alpha1.Match{Image: "example.com/import:*"},
			Attempts: []v1alpha1.Attempt{{Steps: []v1alpha1.Step{{Exit: new(int32(3))}}}},
		},
	})
	c.Apply(fails)
	start := c.Now()
	c.Eventually(15*time.Minute, func() error {
		job, err := c.Client().BatchV1().Jobs("default").Get(context.Background(), "import", metav1.GetOptions{})
		if err == nil && job.Status.Failed < 7 {
			err = fmt.Errorf("%d Pods have failed, want 7", job.Status.Failed)
		}
		return err
	})
	fmt.Println(c.Now().Sub(start).Round(time.Second))
	// Output: 10m34s
}

// From a snapshot a test can go several ways.
func ExampleCluster_Restore() {
	t := &example{}
	defer t.end()
	c := testcluster.Start(t, testcluster.Config{Nodes: 1})
	c.Apply(`{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: main, image: nginx}]}}`)
	c.Advance(time.Minute)
	c.Snapshot("running")
	ready := func() corev1.ConditionStatus {
		pod, err := c.Client().CoreV1().Pods("default").Get(context.Background(), "web", metav1.GetOptions{})
		if err != nil {
			t.Fatalf("%v", err)
		}
		for _, condition := range pod.Status.Conditions {
			if condition.Type == corev1.PodReady {
				return condition.Status
			}
		}
		return corev1.ConditionUnknown
	}
	for _, goesAway := range []bool{true, false} {
		if goesAway {
			c.Fault(&testcluster.Fault{ObjectMeta: metav1.ObjectMeta{Name: "cut"}, Spec: v1alpha1.FaultSpec{Nodes: "node-1", NotReady: &v1alpha1.NotReady{}}})
		}
		c.Advance(2 * time.Minute)
		fmt.Println("the node goes away:", goesAway, "the Pod is Ready:", ready())
		c.Restore("running")
	}
	// Output:
	// the node goes away: true the Pod is Ready: False
	// the node goes away: false the Pod is Ready: True
}
