package e2e

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

// TestFaultsHitWatches drops watches, and lets their history expire.
func TestFaultsHitWatches(t *testing.T) {
	s := newServer(t, "--ephemeral", "--clock", "manual", "--start-time", "2026-01-01T00:00:00Z", "--nodes", "0")
	client := clientOf(t, s)
	pods, nodes := openWatch(t, client.CoreV1().Pods("").Watch, ""), openWatch(t, client.CoreV1().Nodes().Watch, "")
	old, err := client.CoreV1().Pods("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}

	s.applyFaults(t, []map[string]any{{"dropWatch": map[string]any{}, "requests": map[string]any{"resources": []string{"pods"}}}})
	if event, open := <-pods.ResultChan(); open {
		t.Errorf("the watch of Pods goes on: %+v", event)
	}
	again := openWatch(t, client.CoreV1().Pods("").Watch, old.ResourceVersion)
	createNode(t, client, "a")
	if event := <-nodes.ResultChan(); event.Type != watch.Added {
		t.Errorf("the watch of Nodes ended too: %+v", event)
	}
	// Admission says that the Node is not ready, and node-lifecycle, that no condition says so.
	if event := <-nodes.ResultChan(); event.Type != watch.Modified {
		t.Errorf("the Node's taint: %+v", event)
	}

	s.kubectl(t, "", "delete", "fault", "fault-00")
	s.applyFaults(t, []map[string]any{{"expire": map[string]any{}, "duration": "1h"}})
	for _, w := range []watch.Interface{again, nodes} {
		if event, open := <-w.ResultChan(); open {
			t.Errorf("a watch goes on: %+v", event)
		}
	}
	if _, err := client.CoreV1().Pods("").Watch(t.Context(), metav1.ListOptions{ResourceVersion: old.ResourceVersion}); !apierrors.IsResourceExpired(err) {
		t.Errorf("a watch from revision %s: %v, want that it has expired", old.ResourceVersion, err)
	}
	fresh, err := client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	anew := openWatch(t, client.CoreV1().Nodes().Watch, fresh.ResourceVersion)
	createNode(t, client, "b")
	if event := <-anew.ResultChan(); event.Type != watch.Added {
		t.Errorf("the watch from a new list: %+v", event)
	}
}

type watcher = func(context.Context, metav1.ListOptions) (watch.Interface, error)

func openWatch(t *testing.T, open watcher, from string) watch.Interface {
	t.Helper()
	w, err := open(t.Context(), metav1.ListOptions{ResourceVersion: from})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	return w
}

func createNode(t *testing.T, client kubernetes.Interface, name string) {
	t.Helper()
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := client.CoreV1().Nodes().Create(t.Context(), node, metav1.CreateOptions{}); err != nil {
		t.Fatal(fmt.Errorf("node %s: %w", name, err))
	}
}
