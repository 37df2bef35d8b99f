// Package framework stands in for upstream's test/integration/framework.
package framework

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// TearDownFunc ends what a test has started.
type TearDownFunc = func()

// Etcd stands for upstream's etcd. Each server has a store of its own here.
type Etcd struct{}

// SharedEtcd returns nothing that matters.
func SharedEtcd() *Etcd { return nil }

// DefaultTestServerFlags are those of upstream that mean something here.
func DefaultTestServerFlags() []string {
	return []string{"--disable-admission-plugins=ServiceAccount"}
}

// CreateNamespaceOrDie creates a namespace of this name.
func CreateNamespaceOrDie(c kubernetes.Interface, name string, t testing.TB) *corev1.Namespace {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	ns, err := c.CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return ns
}

// DeleteNamespaceOrDie deletes a namespace; nobody here empties it.
func DeleteNamespaceOrDie(c kubernetes.Interface, ns *corev1.Namespace, t testing.TB) {
	t.Helper()
	// A test calls this when its context has ended.
	if err := c.CoreV1().Namespaces().Delete(context.WithoutCancel(t.Context()), ns.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}
