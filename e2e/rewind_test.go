package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// TestRewindUnderLoad rewinds a server again and again while clients write and an
// informer-like client lists and watches: no resourceVersion is ever given twice, not
// even one that was taken back, what was acknowledged is in the cluster or in the
// snapshot that was kept, and clients find their way by themselves.
func TestRewindUnderLoad(t *testing.T) {
	s := newServer(t, "--nodes", "0")
	ctx, cancel := context.WithCancel(t.Context())
	said := &ledger{names: map[int64]string{}}
	var clients sync.WaitGroup
	for i := range 4 {
		client := clientOf(t, s)
		clients.Go(func() { said.write(ctx, t, client, i) })
	}
	clients.Go(func() { watchThrough(ctx, clientOf(t, s)) })

	said.await(t, 50)
	s.kubesim(t, "snapshot", "save", "start")
	for i := range 3 {
		said.await(t, 50)
		if i == 1 {
			s.kubesim(t, "snapshot", "restore", "start")
		} else {
			s.kubesim(t, "rewind", "100ms")
		}
	}
	said.await(t, 50)
	cancel()
	clients.Wait()

	client := clientOf(t, s)
	said.mu.Lock()
	defer said.mu.Unlock()
	list, err := client.CoreV1().ConfigMaps(metav1.NamespaceDefault).List(t.Context(), metav1.ListOptions{LabelSelector: "said"})
	if err != nil {
		t.Fatal(err)
	}
	for _, cm := range list.Items {
		rev, err := strconv.ParseInt(cm.ResourceVersion, 10, 64)
		if name, ok := said.names[rev]; err != nil || ok && name != cm.Name {
			t.Errorf("revision %s is of %s, and was acknowledged for %s", cm.ResourceVersion, cm.Name, name)
		}
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(s.kubeconfig)
	files, err := filepath.Glob(filepath.Join(dir, "snapshots", "*.db"))
	if err != nil || len(files) < 4 {
		t.Fatalf("snapshots %v, %v: want the one that was asked for and one of before each of three rewinds", files, err)
	}
	for _, path := range append(files, dir) {
		if out, err := exec.Command("kubesim", "check", path).CombinedOutput(); err != nil {
			t.Errorf("check %s: %v\n%s", path, err, out)
		}
	}
}

// ledger is what was acknowledged: the name of what was created at a revision.
type ledger struct {
	mu    sync.Mutex
	names map[int64]string
}

// write creates ConfigMaps until ctx ends; a server that starts again is no error.
func (l *ledger) write(ctx context.Context, t *testing.T, client kubernetes.Interface, writer int) {
	for i := 0; ctx.Err() == nil; i++ {
		cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("writer-%d-%d", writer, i), Labels: map[string]string{"said": "true"},
		}}
		got, err := client.CoreV1().ConfigMaps(metav1.NamespaceDefault).Create(ctx, cm, createOptions)
		if err != nil {
			continue
		}
		rev, err := strconv.ParseInt(got.ResourceVersion, 10, 64)
		l.mu.Lock()
		if before, twice := l.names[rev]; err != nil || twice {
			t.Errorf("revision %s was given to %s and to %s", got.ResourceVersion, before, got.Name)
		}
		l.names[rev] = got.Name
		l.mu.Unlock()
	}
}

// await returns when n more writes have been acknowledged.
func (l *ledger) await(t *testing.T, n int) {
	t.Helper()
	count := func() int {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.names)
	}
	for want := count() + n; count() < want; time.Sleep(time.Millisecond) {
		if t.Context().Err() != nil {
			t.Fatal("no more writes are acknowledged")
		}
	}
}

// watchThrough lists and watches until ctx ends, and begins again when the watch
// ends.
func watchThrough(ctx context.Context, client kubernetes.Interface) {
	for ctx.Err() == nil {
		list, err := client.CoreV1().ConfigMaps(metav1.NamespaceDefault).List(ctx, metav1.ListOptions{})
		if err != nil {
			continue
		}
		w, err := client.CoreV1().ConfigMaps(metav1.NamespaceDefault).Watch(ctx, metav1.ListOptions{ResourceVersion: list.ResourceVersion})
		if err != nil {
			continue
		}
		for range w.ResultChan() {
		}
		w.Stop()
	}
}
