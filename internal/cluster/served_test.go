package cluster

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured/unstructuredscheme"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/registry/generic"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/storage/names"
	"k8s.io/client-go/kubernetes"

	"github.com/kubesim-dev/kubesim/apiserver"
	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/internal/pki"
)

func widgetKind() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Widget"}
}

func widgetResource() schema.GroupResource {
	return schema.GroupResource{Group: "example.com", Resource: "widgets"}
}

// widgetStrategy takes every Widget.
type widgetStrategy struct {
	runtime.ObjectTyper
	names.NameGenerator
}

func (widgetStrategy) NamespaceScoped() bool                                            { return true }
func (widgetStrategy) PrepareForCreate(context.Context, runtime.Object)                 {}
func (widgetStrategy) Validate(context.Context, runtime.Object) field.ErrorList         { return nil }
func (widgetStrategy) WarningsOnCreate(context.Context, runtime.Object) []string        { return nil }
func (widgetStrategy) Canonicalize(runtime.Object)                                      {}
func (widgetStrategy) AllowCreateOnUpdate(context.Context) bool                         { return false }
func (widgetStrategy) AllowUnconditionalUpdate(context.Context) bool                    { return false }
func (widgetStrategy) PrepareForUpdate(context.Context, runtime.Object, runtime.Object) {}
func (widgetStrategy) ValidateUpdate(context.Context, runtime.Object, runtime.Object) field.ErrorList {
	return nil
}
func (widgetStrategy) WarningsOnUpdate(context.Context, runtime.Object, runtime.Object) []string {
	return nil
}

// newWidgets opens the store of a resource that nobody has compiled in.
func newWidgets(t *testing.T, s *apiserver.Server) apiserver.Resource {
	t.Helper()
	strategy := widgetStrategy{unstructuredscheme.NewUnstructuredObjectTyper(), names.SimpleNameGenerator}
	store := &genericregistry.Store{
		NewFunc: func() runtime.Object {
			u := &unstructured.Unstructured{}
			u.SetGroupVersionKind(widgetKind())
			return u
		},
		NewListFunc: func() runtime.Object {
			u := &unstructured.UnstructuredList{}
			u.SetGroupVersionKind(widgetKind().GroupVersion().WithKind("WidgetList"))
			return u
		},
		DefaultQualifiedResource: widgetResource(), SingularQualifiedResource: schema.GroupResource{Group: "example.com", Resource: "widget"},
		CreateStrategy: strategy, UpdateStrategy: strategy, DeleteStrategy: strategy, TableConvertor: rest.NewDefaultTableConvertor(widgetResource()),
	}
	if err := store.CompleteWithOptions(&generic.StoreOptions{RESTOptions: s.RESTOptions()}); err != nil {
		t.Fatal(err)
	}
	return apiserver.Resource{
		Resource: widgetResource().WithVersion("v1"), Kind: "Widget", Storage: map[string]rest.Storage{"": store},
	}
}

// live is a cluster in whose middle a resource comes and goes.
type live struct {
	*testing.T
	c   *Cluster
	log bytes.Buffer
}

// engine is the cluster's, whose time is its own.
func (l *live) engine() *engine.Engine {
	t, err := l.c.timed()
	if err != nil {
		l.Fatal(err)
	}
	return t.clock()
}

// outside does something as a client does: while the cluster is at rest.
func (l *live) outside(do func(ctx context.Context, s *apiserver.Server) error) {
	l.Helper()
	leave, err := l.engine().Enter(l.Context())
	if err != nil {
		l.Fatal(err)
	}
	if err := do(l.Context(), l.c.ring.Load().server); err != nil {
		l.Error(err)
	}
	if err := leave(l.Context()); err != nil {
		l.Fatal(err)
	}
}

// write does what do does while the cluster is at rest: the server's own client, which do
// gets, waits for nobody.
func (l *live) write(do func(kubernetes.Interface) error) {
	l.Helper()
	l.outside(func(context.Context, *apiserver.Server) error { return do(l.c.Client()) })
}

func (l *live) serve() {
	l.outside(func(_ context.Context, s *apiserver.Server) error { return s.Serve(newWidgets(l.T, s)) })
}

func (l *live) withdraw() {
	l.outside(func(_ context.Context, s *apiserver.Server) error {
		s.Withdraw(widgetResource())
		return nil
	})
}

func (l *live) widget(name string, owners ...metav1.OwnerReference) {
	l.create("default", name, nil, owners)
}

func (l *live) create(namespace, name string, finalizers []string, owners []metav1.OwnerReference) {
	l.Helper()
	l.outside(func(ctx context.Context, s *apiserver.Server) error {
		u := &unstructured.Unstructured{}
		u.SetGroupVersionKind(widgetKind())
		u.SetNamespace(namespace)
		u.SetName(name)
		u.SetFinalizers(finalizers)
		u.SetOwnerReferences(owners)
		_, err := s.Local().Create(ctx, &user.DefaultInfo{Name: pki.Administrator, Groups: []string{pki.Administrators}}, widgetResource(), u)
		return err
	})
}

func (l *live) advance(d time.Duration) {
	l.Helper()
	if err := l.c.Advance(l.Context(), d); err != nil {
		l.Fatal(err)
	}
}

// found says what there is: the ConfigMap, and what the quota has counted.
func (l *live) found() string {
	l.Helper()
	core := l.c.Client().CoreV1()
	_, err := core.ConfigMaps("default").Get(l.Context(), "owned", metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		l.Fatal(err)
	}
	quota, qerr := core.ResourceQuotas("default").Get(l.Context(), "widgets", metav1.GetOptions{})
	if qerr != nil {
		l.Fatal(qerr)
	}
	used, ok := quota.Status.Used["count/widgets.example.com"]
	return fmt.Sprintf("ConfigMap %t, Widgets %s %t, served %t", err == nil, used.String(), ok,
		l.engine().View().Tracks(engine.ResourceOf(widgetResource())))
}

func (l *live) want(when, want string) {
	l.Helper()
	if got := l.found(); got != want {
		l.Errorf("%s: %s\nwant %s", when, got, want)
	}
}

// begin creates a Job that runs for a minute, a ConfigMap whose owner is a Widget, as it
// says, and a quota of Widgets.
func (l *live) begin() *batchv1.Job {
	l.Helper()
	owner := metav1.OwnerReference{APIVersion: "example.com/v1", Kind: "Widget", Name: "never-was", UID: "42"}
	l.write(func(client kubernetes.Interface) error {
		_, err := client.CoreV1().ConfigMaps("default").Create(l.Context(), &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: "owned", OwnerReferences: []metav1.OwnerReference{owner}}}, metav1.CreateOptions{})
		return err
	})
	l.write(func(client kubernetes.Interface) error {
		_, err := client.CoreV1().ResourceQuotas("default").Create(l.Context(), &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "widgets"},
			Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"count/widgets.example.com": resource.MustParse("5")}}}, metav1.CreateOptions{})
		return err
	})
	template := corev1.PodTemplateSpec{Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{
		{Name: "main", Image: "busybox", Command: []string{"sleep", "60"}}}}}
	var job *batchv1.Job
	l.write(func(client kubernetes.Interface) (err error) {
		job, err = client.BatchV1().Jobs("default").Create(l.Context(), &batchv1.Job{
			ObjectMeta: metav1.ObjectMeta{Name: "pi"}, Spec: batchv1.JobSpec{Template: template}}, metav1.CreateOptions{})
		return err
	})
	return job
}

// play lets the resource come and go while the Job runs, and returns the event log.
func (l *live) play() string {
	var err error
	l.c, err = Start(l.Context(), Options{Ephemeral: true, Mode: engine.Manual, Speed: 1, Seed: 1, Start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Nodes: 1,
		Controllers: []string{"*"}, Authorization: apiserver.AuthorizationRBAC, CheckTrusted: true, Log: &l.log})
	if err != nil {
		l.Fatal(err)
	}
	defer l.c.Close()
	if err := l.c.AwaitReady(l.Context()); err != nil {
		l.Fatal(err)
	}
	asking, end := context.WithCancel(l.Context())
	asked := make(chan struct{})
	local, view := l.c.ring.Load().server.Local(), l.engine().View()
	go func() { // requests look at what is served at any time
		defer close(asked)
		for asking.Err() == nil {
			local.Persisted()
			view.Tracks(engine.ResourceOf(widgetResource()))
		}
	}()
	job := l.begin()
	owner := metav1.OwnerReference{APIVersion: "batch/v1", Kind: "Job", Name: job.Name, UID: job.UID}
	l.advance(10 * time.Second)
	l.want("before", "ConfigMap true, Widgets 0 false, served false")
	l.serve()
	l.want("when it is served", "ConfigMap false, Widgets 0 true, served true")
	l.widget("a", owner)
	l.widget("b", owner)
	l.advance(5 * time.Minute)
	end()
	<-asked
	l.want("with Widgets", "ConfigMap false, Widgets 2 true, served true")
	l.again()
	return l.log.String()
}

// again takes the cluster apart, and serves the resource once more: what it holds comes
// back to it, and goes with its owner.
func (l *live) again() {
	if err := l.c.Restart(); err != nil {
		l.Fatal(err)
	}
	l.want("after a restart", "ConfigMap false, Widgets 2 true, served false")
	l.serve()
	l.want("when it is served again", "ConfigMap false, Widgets 2 true, served true")
	background := metav1.DeletePropagationBackground
	l.write(func(client kubernetes.Interface) error {
		return client.BatchV1().Jobs("default").Delete(l.Context(), "pi", metav1.DeleteOptions{PropagationPolicy: &background})
	})
	l.advance(time.Second)
	l.want("without their owner", "ConfigMap false, Widgets 0 true, served true")
	l.widget("c")
	l.lab("an object that is held", true)
	l.withdraw()
	l.lab("an object of a resource that was withdrawn", false)
	l.want("when it is withdrawn", "ConfigMap false, Widgets 1 true, served false")
}

// lab deletes a namespace with a Widget that a finalizer holds, which is there while it is
// served; then the namespace goes.
func (l *live) lab(what string, there bool) {
	l.Helper()
	if there {
		l.write(func(client kubernetes.Interface) error {
			_, err := client.CoreV1().Namespaces().Create(l.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "lab"}}, metav1.CreateOptions{})
			return err
		})
		l.create("lab", "held", []string{"example.com/hold"}, nil)
		l.write(func(client kubernetes.Interface) error {
			return client.CoreV1().Namespaces().Delete(l.Context(), "lab", metav1.DeleteOptions{})
		})
	}
	_, err := l.c.Client().CoreV1().Namespaces().Get(l.Context(), "lab", metav1.GetOptions{})
	if there && err != nil || !there && !apierrors.IsNotFound(err) {
		l.Errorf("the namespace of %s: %v, want it there %t", what, err, there)
	}
}

// TestAResourceComesAndGoesWhileAJobRuns: garbage collector, quota, View and store see it
// from then on, at the same point of every run, and what is left of it after a restart.
func TestAResourceComesAndGoesWhileAJobRuns(t *testing.T) {
	log := (&live{T: t}).play()
	for _, line := range []string{
		"T00:00:10.000000000Z - client serves widgets.example.com\n",
		" garbagecollector/default/configmaps/owned delete configmaps/default/owned\n",
		" delete widgets.example.com/default/a\n", " delete widgets.example.com/default/b\n",
		" - client withdraws widgets.example.com\n",
	} {
		if !strings.Contains(log, line) {
			t.Errorf("the event log lacks %q:\n%s", line, log)
		}
	}
	for range 2 {
		if diff := cmp.Diff(log, (&live{T: t}).play()); diff != "" {
			t.Fatalf("another run differs (-first +other):\n%s", diff)
		}
	}
}
