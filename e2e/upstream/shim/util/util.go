// Package util stands in for upstream's test/integration/util, as far as the
// tests that run here need it.
package util

import (
	"context"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/garbagecollector"
	"github.com/kubesim-dev/kubesim/e2e/upstream/remote"
	apiservertesting "github.com/kubesim-dev/kubesim/e2e/upstream/shim/apiserver"
	"github.com/kubesim-dev/kubesim/e2e/upstream/shim/framework"
)

// TestContext is a server with a namespace for one test.
type TestContext struct {
	NS        *corev1.Namespace
	ClientSet kubernetes.Interface
	// Ctx ends before the server does.
	Ctx context.Context //nolint:containedctx // upstream's tests read it there
}

// InitTestAPIServer starts a server for a test, with the admission plugins of
// kubesim that upstream's has here too.
func InitTestAPIServer(t *testing.T, nsPrefix string, _ admission.Interface) *TestContext {
	t.Helper()
	server := apiservertesting.StartTestServerOrDie(t, nil, []string{"--disable-admission-plugins=ServiceAccount,Priority"}, nil)
	client, err := kubernetes.NewForConfig(server.ClientConfig)
	if err != nil {
		t.Fatal(err)
	}
	return &TestContext{NS: framework.CreateNamespaceOrDie(client, nsPrefix, t), ClientSet: client, Ctx: t.Context()}
}

// CreateGCController returns what runs our garbage collector over Jobs and Pods
// until ctx ends. The informers must be started before that is called.
func CreateGCController(ctx context.Context, t testing.TB, config rest.Config, informers informers.SharedInformerFactory) func() {
	t.Helper()
	client, err := kubernetes.NewForConfig(&config)
	if err != nil {
		t.Fatal(err)
	}
	c, err := remote.New(client)
	if err != nil {
		t.Fatal(err)
	}
	c.Engine().Serve(engine.Served{Name: engine.Jobs, GVK: batchv1.SchemeGroupVersion.WithKind("Job"), Namespaced: true})
	c.Engine().Serve(engine.Served{Name: engine.Pods, GVK: corev1.SchemeGroupVersion.WithKind("Pod"), Namespaced: true})
	r, err := garbagecollector.New(engine.Host{View: c.Engine().View(), API: c.API(), Recorder: c.Recorder("garbage-collector-controller")})
	if err != nil {
		t.Fatal(err)
	}
	c.Engine().Register(r)
	if err := c.Follow(engine.Jobs, informers.Batch().V1().Jobs().Informer()); err != nil {
		t.Fatal(err)
	}
	if err := c.Follow(engine.Pods, informers.Core().V1().Pods().Informer()); err != nil {
		t.Fatal(err)
	}
	return func() { go c.Run(ctx) }
}

// RemovePodFinalizers takes every finalizer from Pods that are still there.
func RemovePodFinalizers(ctx context.Context, c kubernetes.Interface, t *testing.T, pods ...corev1.Pod) {
	t.Helper()
	for i := range pods {
		_, err := c.CoreV1().Pods(pods[i].Namespace).Patch(ctx, pods[i].Name, types.MergePatchType,
			[]byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			t.Error(err)
		}
	}
}

// AddTaintToNode adds a taint to a Node.
func AddTaintToNode(c kubernetes.Interface, name string, taint corev1.Taint) error {
	ctx := context.Background()
	node, err := c.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	node.Spec.Taints = append(node.Spec.Taints, taint)
	_, err = c.CoreV1().Nodes().Update(ctx, node, metav1.UpdateOptions{})
	return err
}

// PodIsGettingEvicted reports whether a Pod is being deleted.
func PodIsGettingEvicted(c kubernetes.Interface, namespace, name string) wait.ConditionWithContextFunc {
	return func(ctx context.Context) (bool, error) {
		pod, err := c.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
		return err == nil && pod.DeletionTimestamp != nil, err
	}
}
