package e2e

import (
	"bytes"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/internal/cluster"
)

// inProcess are the options of a cluster in this process.
func inProcess(t *testing.T, mode engine.Mode) cluster.Options {
	return cluster.Options{
		DataDir: t.TempDir(), Ephemeral: true, Listen: "127.0.0.1:0", Mode: mode, Speed: 1, Nodes: 2, Seed: 1,
		Start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Controllers: []string{"*"}, Authorization: "RBAC", CheckTrusted: true,
	}
}

// TestACloseLeavesNoGoroutineBehind closes clusters in the middle of what they do.
func TestACloseLeavesNoGoroutineBehind(t *testing.T) {
	for name, tc := range map[string]struct {
		mode engine.Mode
		// spoil makes the options wrong: the cluster does not start.
		spoil func(*cluster.Options)
	}{
		"in realtime":                          {mode: engine.Realtime},
		"in auto":                              {mode: engine.Auto},
		"in manual":                            {mode: engine.Manual},
		"one whose engine cannot be built":     {mode: engine.Auto, spoil: func(o *cluster.Options) { o.Speed = 0 }},
		"one whose API server cannot be built": {mode: engine.Auto, spoil: func(o *cluster.Options) { o.Authorization = "nonsense" }},
		"one without a place for a kubeconfig": {mode: engine.Auto, spoil: func(o *cluster.Options) { o.Kubeconfig = "/dev/null/kubeconfig" }},
	} {
		t.Run(name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			options := inProcess(t, tc.mode)
			if tc.spoil != nil {
				tc.spoil(&options)
			}
			c, err := cluster.Start(t.Context(), options)
			if (err != nil) != (tc.spoil != nil) {
				t.Errorf("start: %v", err)
			}
			if err == nil {
				defer c.Close()
				unread := beBusy(t, c)
				c.Close()
				unread.Stop() // a goroutine of the client's
			}
			if err := goleak.Find(before); err != nil {
				t.Error(err)
			}
		})
	}
}

// beBusy has a cluster run Pods that end and Pods that do not, and returns a watch that
// nobody has read.
func beBusy(t *testing.T, c *cluster.Cluster) watch.Interface {
	t.Helper()
	if err := c.AwaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	client := c.Client()
	unread, err := client.CoreV1().Pods("").Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, script := range map[string]string{"short": "sleep 1 | cat; exit 1", "long": "sleep 1000 & trap : TERM; sleep 100000000"} {
		if _, err := client.BatchV1().Jobs("default").Create(t.Context(), newJob(name, 3, 2, script), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	return unread
}

// TestClustersOfOneProcessDoNotDisturbEachOther runs the same Jobs in several clusters
// at the same time. The race detector sees what they share.
func TestClustersOfOneProcessDoNotDisturbEachOther(t *testing.T) {
	logs := make([]string, 4)
	t.Run("clusters", func(t *testing.T) {
		for i := range logs {
			t.Run("one", func(t *testing.T) {
				t.Parallel()
				var log bytes.Buffer
				options := inProcess(t, engine.Auto)
				options.Log = &log
				c, err := cluster.Start(t.Context(), options)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				if err := c.AwaitReady(t.Context()); err != nil {
					t.Fatal(err)
				}
				client := newClient(t, c.Kubeconfig())
				for _, job := range []*batchv1.Job{newJob("fails", 2, 2, "exit 1"), newJob("ends", 5, 0, "echo $RANDOM; sleep 1")} {
					if _, err := client.BatchV1().Jobs("default").Create(t.Context(), job, metav1.CreateOptions{}); err != nil {
						t.Error(err)
					}
				}
				c.Close()
				logs[i] = log.String()
			})
		}
	})
	for _, log := range logs[1:] {
		if diff := gocmp.Diff(strings.Split(logs[0], "\n"), strings.Split(log, "\n")); diff != "" || log == "" {
			t.Errorf("their event logs differ:\n%s", diff)
		}
	}
}
