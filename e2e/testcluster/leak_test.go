package testcluster

import (
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

// TestNothingIsLeftBehind: no goroutine and no file, although the test has left a watch
// open, and containers running.
func TestNothingIsLeftBehind(t *testing.T) {
	for name, config := range map[string]Config{
		"in manual": {Mode: Manual}, "in auto": {Mode: Auto}, "with a port": {Listen: "127.0.0.1:0"}, "without nodes": {Nodes: NoNodes},
		"with webhooks":           {WebhookInstallOptions: WebhookInstallOptions{Paths: []string{"testdata/webhooks"}}},
		"where the port is taken": {Listen: "127.0.0.1:1000000"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			t.Setenv("TMPDIR", dir)
			before := goleak.IgnoreCurrent()
			f := &fake{name: t.Name()}
			var unread watch.Interface
			f.run(func() {
				c := Start(f, config)
				c.Apply(retried)
				var err error
				unread, err = kubernetes.NewForConfigOrDie(c.RESTConfig()).CoreV1().Pods("").Watch(t.Context(), metav1.ListOptions{})
				if err != nil {
					t.Fatal(err)
				}
				c.Snapshot("one")
				c.Advance(10 * time.Second)
			})
			if unread != nil {
				unread.Stop() // a goroutine of the test's own
			}
			if failed := config.Listen == "127.0.0.1:1000000"; failed != f.Failed() {
				t.Errorf("it fails with %q", f.failure)
			}
			if err := goleak.Find(before); err != nil {
				t.Error(err)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v (%v)", left, err)
			}
		})
	}
}
