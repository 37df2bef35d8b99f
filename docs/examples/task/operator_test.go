package task

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
	"github.com/kubesim-dev/kubesim/e2e/testcluster"
)

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard())
	os.Exit(m.Run())
}

// startCluster starts a cluster with the custom resource and the webhooks as they are
// deployed.
func startCluster(t *testing.T) *testcluster.Cluster {
	t.Helper()
	return testcluster.Start(t, testcluster.Config{
		CRDInstallOptions:     testcluster.CRDInstallOptions{Paths: []string{"config"}},
		WebhookInstallOptions: testcluster.WebhookInstallOptions{Paths: []string{"config"}},
	})
}

// startOperator runs the operator beside the cluster until the test ends, and returns a
// client.
func startOperator(t *testing.T, c *testcluster.Cluster) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme, AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	hooks := c.Webhooks()
	m, err := manager.New(c.RESTConfig(), manager.Options{
		Scheme:        scheme,
		WebhookServer: webhook.NewServer(webhook.Options{Host: hooks.Host, Port: hooks.Port, CertDir: hooks.CertDir}),
		Metrics:       metricsserver.Options{BindAddress: "0"},             // no port
		Controller:    config.Controller{SkipNameValidation: ptr.To(true)}, // one operator for each test
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := (&Operator{Client: m.GetClient()}).SetupWithManager(m); err != nil {
		t.Fatal(err)
	}
	if err := (Webhooks{}).SetupWithManager(m); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := m.Start(ctx); err != nil {
			t.Errorf("the operator: %v", err)
		}
	}()
	t.Cleanup(func() { stop(); <-ended })
	c.Await(func() error { return m.GetWebhookServer().StartedChecker()(nil) })
	direct, err := client.New(c.RESTConfig(), client.Options{Scheme: scheme}) // without a cache
	if err != nil {
		t.Fatal(err)
	}
	return direct
}

func newTask(command string) *Task {
	return &Task{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "nightly"}, Spec: Spec{Command: command}}
}

// phase checks what the operator says of the Task.
func phase(t *testing.T, c client.Client, want string) func() error {
	return func() error {
		var task Task
		err := c.Get(t.Context(), client.ObjectKeyFromObject(newTask("")), &task)
		if err == nil && task.Status.Phase != want {
			err = fmt.Errorf("the phase is %q, want %s", task.Status.Phase, want)
		}
		return err
	}
}

// TestATaskIsRun: the webhook sets the timeout, and time passes until the Job's end.
func TestATaskIsRun(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	api := startOperator(t, c)
	task := newTask("echo working; sleep 1800")
	if err := api.Create(t.Context(), task); err != nil {
		t.Fatal(err)
	}
	if task.Spec.TimeoutSeconds != timeoutDefault {
		t.Errorf("the timeout is %d, want the webhook's default, %d", task.Spec.TimeoutSeconds, timeoutDefault)
	}
	c.Await(phase(t, api, "Running"))
	c.Advance(time.Hour)
	c.Await(phase(t, api, "Complete"))
}

// TestATaskTakesTooLong: an hour of virtual time is over at once.
func TestATaskTakesTooLong(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	api := startOperator(t, c)
	if err := api.Create(t.Context(), newTask("sleep 7200")); err != nil {
		t.Fatal(err)
	}
	c.Await(phase(t, api, "Running"))
	c.Advance(59 * time.Minute)
	c.Await(phase(t, api, "Running"))
	c.Advance(2 * time.Minute)
	c.Await(phase(t, api, "Failed"))
}

// TestTheWebhookRefuses: what is wrong with a Task is said to whoever creates it.
func TestTheWebhookRefuses(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	if err := c.Client().CoreV1().RESTClient().Post().AbsPath("/apis/example.com/v1/namespaces/default/tasks").
		Body([]byte(`{"apiVersion": "example.com/v1", "kind": "Task", "metadata": {"name": "early"}, "spec": {"command": "true"}}`)).
		Do(t.Context()).Error(); err == nil || !strings.Contains(err.Error(), `failed calling webhook "default.task.example.com"`) {
		t.Errorf("before the operator serves its webhooks: %v", err)
	}
	api := startOperator(t, c)
	for want, task := range map[string]*Task{
		"spec.command is empty: say what to run":                      newTask(" "),
		"spec.timeoutSeconds 86401: want at most a day, 86400":        {ObjectMeta: newTask("").ObjectMeta, Spec: Spec{Command: "true", TimeoutSeconds: 86401}},
		"spec.timeoutSeconds: Invalid value: -1: spec.timeoutSeconds": {ObjectMeta: newTask("").ObjectMeta, Spec: Spec{Command: "true", TimeoutSeconds: -1}},
	} {
		if err := api.Create(t.Context(), task); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the answer is %v, want %q", err, want)
		}
	}
	task := newTask("true")
	if err := api.Create(t.Context(), task); err != nil {
		t.Fatal(err)
	}
	changed := client.RawPatch("application/merge-patch+json", []byte(`{"spec": {"command": "false"}}`))
	if err := api.Patch(t.Context(), task, changed); !apierrors.IsForbidden(err) {
		t.Errorf("a change of the command: %v, want Forbidden", err)
	}
}

// TestTheReportIsWritten: the API refuses it three times; until it is there, the finalizer
// keeps the Task. Then the Task and its Job are gone.
func TestTheReportIsWritten(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	api := startOperator(t, c)
	task := newTask("exit 0")
	if err := api.Create(t.Context(), task); err != nil {
		t.Fatal(err)
	}
	c.Await(phase(t, api, "Running"))
	c.Advance(time.Minute)
	c.Await(phase(t, api, "Complete"))
	c.Fault(&testcluster.Fault{
		ObjectMeta: metav1.ObjectMeta{Name: "flaky"},
		Spec: v1alpha1.FaultSpec{
			Requests: &v1alpha1.RequestMatch{Verbs: []string{"create"}, Resources: []string{"configmaps"}, UserAgents: []string{"*"}},
			Error:    &v1alpha1.RequestError{Code: 500}, Limit: ptr.To[int32](3),
		},
	})
	if err := api.Delete(t.Context(), task); err != nil {
		t.Fatal(err)
	}
	c.Await(func() error {
		var report corev1.ConfigMap
		err := api.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "nightly-report"}, &report)
		if err == nil && report.Data["phase"] != "Complete" {
			err = fmt.Errorf("the report is %v", report.Data)
		}
		return err
	})
	c.Await(gone(t, api, task))
	c.Await(gone(t, api, &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "nightly"}}))
	var flaky testcluster.Fault
	if err := api.Get(t.Context(), client.ObjectKey{Name: "flaky"}, &flaky); err != nil || flaky.Status.Hits != 3 {
		t.Errorf("%d requests were refused (%v), want 3", flaky.Status.Hits, err)
	}
}

// gone checks that an object is not there.
func gone(t *testing.T, c client.Client, object client.Object) func() error {
	return func() error {
		err := c.Get(t.Context(), client.ObjectKeyFromObject(object), object)
		if err == nil {
			return fmt.Errorf("%s is still there, with finalizers %v", object.GetName(), object.GetFinalizers())
		}
		return client.IgnoreNotFound(err)
	}
}
