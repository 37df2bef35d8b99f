package testcluster

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// follow runs a controller beside the test: it makes a Job called second when the one
// called retried has failed.
func follow(t *testing.T, c *Cluster) {
	t.Helper()
	client, err := kubernetes.NewForConfig(c.RESTConfig())
	if err != nil {
		t.Fatal(err)
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	_, err = factory.Batch().V1().Jobs().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{UpdateFunc: func(_, now any) {
		job := now.(*batchv1.Job)
		if job.Name != "retried" || job.Status.Failed != 3 {
			return
		}
		second := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "second"}, Spec: job.Spec}
		second.Spec.Selector, second.Spec.Template.Labels = nil, nil
		if _, err := client.BatchV1().Jobs("default").Create(t.Context(), second, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			t.Error(err)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	factory.Start(stop)
	factory.WaitForCacheSync(stop)
	t.Cleanup(func() { close(stop); factory.Shutdown() })
}

// second checks that the second Job was created at the instant at which the first ended.
func second(t *testing.T, c *Cluster) func() error {
	return func() error {
		jobs := c.Client().BatchV1().Jobs("default")
		job, err := jobs.Get(t.Context(), "second", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if want := c.Now().Truncate(time.Second); !job.CreationTimestamp.Time.Equal(want) {
			return errors.New("the second Job is of " + stamp(job.CreationTimestamp.Time) + ", want " + stamp(want))
		}
		return nil
	}
}

func TestAClientBesideTheTestTakesNoVirtualTime(t *testing.T) {
	t.Parallel()
	c := Start(t, Config{})
	follow(t, c)
	c.Apply(retried)
	c.Eventually(15*time.Minute, ended(t, c, "retried", batchv1.JobFailed))
	c.Await(second(t, c))
	c.Eventually(15*time.Minute, ended(t, c, "second", batchv1.JobFailed))
}

// TestAwaitAsksWhatWritesNothing: a server beside the test that starts, for example.
func TestAwaitAsksWhatWritesNothing(t *testing.T) {
	t.Parallel()
	c := Start(t, Config{Nodes: NoNodes})
	asked := 0
	c.Await(func() error {
		if asked++; asked < 3 {
			return errors.New("not yet")
		}
		return nil
	})
}

// TestInABubbleNothingIsLeftToDo: synctest's Wait returns when the clients beside the
// test have done all that they will do at this instant.
func TestInABubbleNothingIsLeftToDo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := Start(t, Config{})
		follow(t, c)
		c.Apply(retried)
		c.Eventually(15*time.Minute, ended(t, c, "retried", batchv1.JobFailed))
		synctest.Wait()
		if err := second(t, c)(); err != nil {
			t.Error(err)
		}
	})
}
