package e2e

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubesim-dev/kubesim/internal/overlay"
)

// stubNamespace is the namespace of upstream's stubs.
const stubNamespace = "everything"

// stubs are the smallest objects of each resource that upstream's own tests create:
// GetEtcdStorageDataServedAt in k8s.io/kubernetes test/integration/etcd. They are read
// from its source, as the package links all of kube-apiserver.
func stubs(t *testing.T) map[schema.GroupVersionResource]*unstructured.Unstructured {
	t.Helper()
	path := filepath.Join(overlay.ModuleDir(t, "k8s.io/kubernetes"), "test", "integration", "etcd", "data.go")
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	out := map[schema.GroupVersionResource]*unstructured.Unstructured{}
	ast.Inspect(file, func(n ast.Node) bool {
		entry, ok := n.(*ast.KeyValueExpr)
		if !ok {
			return true
		}
		call, isCall := entry.Key.(*ast.CallExpr)
		fields, isData := entry.Value.(*ast.CompositeLit)
		if !isCall || !isData || len(call.Args) != 3 {
			return true
		}
		for _, each := range fields.Elts {
			field, ok := each.(*ast.KeyValueExpr)
			if !ok || field.Key.(*ast.Ident).Name != "Stub" {
				continue
			}
			gvr := schema.GroupVersionResource{Group: text(call.Args[0]), Version: text(call.Args[1]), Resource: text(call.Args[2])}
			out[gvr] = &unstructured.Unstructured{Object: document(t, text(field.Value))}
		}
		return true
	})
	return out
}

// text evaluates a concatenation of strings.
func text(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		out, _ := strconv.Unquote(e.Value)
		return out
	case *ast.BinaryExpr:
		return text(e.X) + text(e.Y)
	case *ast.Ident:
		return map[string]string{"namespace": stubNamespace}[e.Name] + map[string]string{"image": "busybox"}[e.Name]
	}
	return ""
}

// everything is a client and one object of each stored resource, all owned by one.
type everything struct {
	client  dynamic.Interface
	objects map[schema.GroupVersionResource]*unstructured.Unstructured
	scoped  map[schema.GroupVersionResource]bool // namespaced
}

func (e everything) of(gvr schema.GroupVersionResource) dynamic.ResourceInterface {
	if e.scoped[gvr] {
		return e.client.Resource(gvr).Namespace(stubNamespace)
	}
	return e.client.Resource(gvr)
}

// absent lists the resources whose object is not there.
func (e everything) absent(t *testing.T) []string {
	t.Helper()
	var out []string
	for gvr, obj := range e.objects {
		_, err := e.of(gvr).Get(t.Context(), obj.GetName(), metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			out = append(out, gvr.GroupResource().String())
		} else if err != nil {
			t.Error(err)
		}
	}
	slices.Sort(out)
	return out
}

// TestEveryResourceIsCountedCollectedAndTakenBack creates one object of every resource
// that is served and stored. Then quota counts them, the garbage collector deletes them
// with their owner, a snapshot brings them back, and a namespace takes its own with it.
func TestEveryResourceIsCountedCollectedAndTakenBack(t *testing.T) {
	t.Parallel()
	s := newServer(t, "--ephemeral", "--nodes", "0", "--clock", "auto")
	e := newEverything(t, s)
	client := clientOf(t, s)
	if absent := e.absent(t); len(absent) > 0 {
		t.Fatalf("not created: %v", absent)
	}

	quota, err := client.CoreV1().ResourceQuotas(stubNamespace).Get(t.Context(), "counts", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(quota.Spec.Hard)) {
		if used := quota.Status.Used[name]; used.IsZero() {
			t.Errorf("the quota %s counts nothing", name)
		}
	}

	s.kubesim(t, "snapshot", "save", "all")
	if err := client.RbacV1().ClusterRoles().Delete(t.Context(), "owner", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if absent := e.absent(t); len(absent) != len(e.objects) {
		t.Errorf("the garbage collector deleted only %v", absent)
	}
	s.kubesim(t, "snapshot", "restore", "all")
	if absent := e.absent(t); len(absent) > 0 {
		t.Errorf("not in the snapshot: %v", absent)
	}
	if err := client.CoreV1().Namespaces().Delete(t.Context(), stubNamespace, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	var namespaced []string
	for gvr := range e.objects {
		if e.scoped[gvr] {
			namespaced = append(namespaced, gvr.GroupResource().String())
		}
	}
	slices.Sort(namespaced)
	if absent := e.absent(t); !slices.Equal(absent, namespaced) {
		t.Errorf("with their namespace went %v, want %v", absent, namespaced)
	}
}

// newEverything creates the objects.
func newEverything(t *testing.T, s *server) everything {
	t.Helper()
	client := clientOf(t, s)
	config, err := clientcmd.BuildConfigFromFlags("", s.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	e := everything{
		client:  dynamic.NewForConfigOrDie(config),
		objects: map[schema.GroupVersionResource]*unstructured.Unstructured{}, scoped: map[schema.GroupVersionResource]bool{},
	}
	if _, err := client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: stubNamespace}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	owner, err := client.RbacV1().ClusterRoles().Create(t.Context(), &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "owner"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	known := stubs(t)
	lists, err := client.Discovery().ServerPreferredResources()
	if err != nil {
		t.Fatal(err)
	}
	hard := corev1.ResourceList{}
	for _, list := range lists {
		gv, _ := schema.ParseGroupVersion(list.GroupVersion)
		for _, r := range list.APIResources {
			if !slices.Contains(r.Verbs, "create") || !slices.Contains(r.Verbs, "list") || strings.HasSuffix(gv.Group, "kubesim.dev") || r.Name == "events" {
				continue // not stored; ours; Events have no owners
			}
			gvr := gv.WithResource(r.Name)
			if known[gvr] == nil {
				t.Errorf("upstream has no stub of %v: make one here", gvr)
				continue
			}
			e.objects[gvr], e.scoped[gvr] = known[gvr], r.Namespaced
			known[gvr].SetGroupVersionKind(gv.WithKind(r.Kind))
			known[gvr].SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRole", Name: "owner", UID: owner.UID}})
			if r.Name == "cronjobs" { // its Job would not be valid
				_ = unstructured.SetNestedField(known[gvr].Object, true, "spec", "suspend")
			}
			if r.Namespaced {
				hard[corev1.ResourceName("count/"+gvr.GroupResource().String())] = resource.MustParse("9")
			}
		}
	}
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "counts"}, Spec: corev1.ResourceQuotaSpec{Hard: hard}}
	if _, err := client.CoreV1().ResourceQuotas(stubNamespace).Create(t.Context(), quota, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, gvr := range slices.SortedFunc(maps.Keys(e.objects), func(a, b schema.GroupVersionResource) int { return strings.Compare(a.String(), b.String()) }) {
		if _, err := e.of(gvr).Create(t.Context(), e.objects[gvr], metav1.CreateOptions{}); err != nil {
			t.Errorf("%v: %v", gvr, err)
		}
	}
	return e
}
