package testcluster

import (
	"errors"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// TestADataDirKeepsTheCluster: what a test leaves there goes on where it stopped.
func TestADataDirKeepsTheCluster(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := &fake{name: t.Name()}
	var stopped time.Time
	f.run(func() {
		c := Start(f, Config{DataDir: dir})
		c.Apply(retried)
		c.Advance(45 * time.Second)
		stopped = c.Now()
	})
	if f.Failed() {
		t.Fatal(f.failure)
	}
	c := Start(t, Config{DataDir: dir})
	if now := c.Now(); !now.Equal(stopped) {
		t.Errorf("it is %s, want %s, at which the first cluster stopped", now, stopped)
	}
	job, err := c.Client().BatchV1().Jobs("default").Get(t.Context(), "retried", metav1.GetOptions{})
	if err != nil || job.Status.Failed != 1 {
		t.Fatalf("%d Pods of the Job have failed (%v), want 1", job.Status.Failed, err)
	}
	c.Eventually(15*time.Minute, ended(t, c, "retried", batchv1.JobFailed))
}

func TestAKubeconfigLeadsToThePort(t *testing.T) {
	t.Parallel()
	c := Start(t, Config{Listen: "127.0.0.1:0"})
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	nodes, err := kubernetes.NewForConfigOrDie(config).CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil || len(nodes.Items) != nodesDefault {
		t.Errorf("there are %d nodes (%v), want %d", len(nodes.Items), err, nodesDefault)
	}
}

// TestMistakesSayWhatToDo: each ends a user's test.
func TestMistakesSayWhatToDo(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		mistake func(*Cluster)
		want    string
	}{
		"a kubeconfig without a port":    {func(c *Cluster) { c.Kubeconfig() }, `set Config.Listen, for example to "127.0.0.1:0"`},
		"a field that does not exist":    {func(c *Cluster) { c.Apply(strings.Replace(retried, "backoffLimit", "backofLimit", 1)) }, `object 1 of 1, Job "retried": .*backofLimit`},
		"a kind that is not served":      {func(c *Cluster) { c.Apply("{apiVersion: example.com/v1, kind: Website, metadata: {name: web}}") }, `object 1 of 1, Website "web": no matches for kind`},
		"no manifest":                    {func(c *Cluster) { c.Apply("# nothing") }, "there is no object in the manifests"},
		"what is no manifest":            {func(c *Cluster) { c.Apply("{apiVersion: v1}") }, "document 1 of the manifests: apiVersion or kind is missing"},
		"time that goes back":            {func(c *Cluster) { c.Until(c.Now().Add(-time.Second)) }, "virtual time cannot go back"},
		"a snapshot that there is not":   {func(c *Cluster) { c.Restore("other") }, `"other"`},
		"what does not hold all the way": {func(c *Cluster) { c.Consistently(time.Hour, c.beforeOne()) }, "after 1h0m0s of virtual time, at 2026-01-01T01:00:00Z: it is one o'clock"},
		"a golden file that is missing":  {func(c *Cluster) { c.Golden(c.t, "missing") }, "testdata/missing.golden is not there: write it with -testcluster.update"},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{name: t.Name()}
			f.run(func() { tc.mistake(Start(f, Config{Nodes: NoNodes})) })
			if !contains(f.failure, tc.want) {
				t.Errorf("the test fails with %q, want %q", f.failure, tc.want)
			}
		})
	}
}

func (c *Cluster) beforeOne() func() error {
	return func() error {
		if c.Now().Hour() >= 1 {
			return errors.New("it is one o'clock")
		}
		return nil
	}
}

// contains reports whether text has the parts of want, which .* joins, in this order.
func contains(text, want string) bool {
	for part := range strings.SplitSeq(want, ".*") {
		_, rest, ok := strings.Cut(text, part)
		if !ok {
			return false
		}
		text = rest
	}
	return true
}
