package recording

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/internal/cluster"
	"github.com/kubesim-dev/kubesim/internal/pki"
	"github.com/kubesim-dev/kubesim/internal/play"
	"github.com/kubesim-dev/kubesim/internal/scenario"
)

// 'make attack' records a thousand runs.
var (
	recordRuns = flag.Int("record.runs", 12, "how many runs of many clients to record and replay")
	recordSeed = flag.Uint64("record.seed", 1, "the first run's seed")
)

// TestManyClientsAreRecordedAsTheyWere lets clients do everything that changes a cluster
// at the same time: whatever order that has, the recording has the same.
func TestManyClientsAreRecordedAsTheyWere(t *testing.T) {
	runs := *recordRuns
	if testing.Short() {
		runs = min(runs, 2)
	}
	for i := range runs {
		seed := *recordSeed + uint64(i)
		mode := []engine.Mode{engine.Auto, engine.Manual}[i%2]
		t.Run(fmt.Sprintf("%s with -record.seed=%d", mode, seed), func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "recording.yaml")
			live := recordCrowd(t, mode, seed, file)
			sc, err := scenario.Read(file)
			if err != nil {
				t.Fatal(err)
			}
			var again bytes.Buffer
			if _, err := play.Play(t.Context(), sc, play.Config{Log: &again}); err != nil {
				t.Error(err)
			}
			if !strings.HasPrefix(again.String(), live) { // a request whose client had gone may have come in at the very end
				diff := cmp.Diff(strings.Split(live, "\n"), strings.Split(again.String(), "\n"))
				keepRecording(t, file, live, again.String())
				t.Errorf("event log (-live +replayed):\n%s", diff)
			}
			t.Logf("%d steps, %d lines", len(sc.Spec.Steps), strings.Count(live, "\n"))
		})
	}
}

// keepRecording leaves what a failure is about where it can be looked at.
func keepRecording(t *testing.T, file, live, again string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "recording")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"recording.yaml": string(text), "live.log": live, "replayed.log": again} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("see %s", dir)
}

// recordCrowd records a run, and returns its event log.
func recordCrowd(t *testing.T, mode engine.Mode, seed uint64, path string) string {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var log bytes.Buffer
	options := cluster.Options{
		DataDir: t.TempDir(), Ephemeral: true, Mode: mode, Speed: 1, Seed: seed, Nodes: 2, Log: &log,
		Start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Controllers: []string{"*"}, Authorization: "RBAC", NoOpenAPI: true,
	}
	r := New(file, &options, nil)
	options.Recorder = r
	c, err := cluster.Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.AwaitRest(t.Context()); err != nil {
		t.Fatal(err)
	}
	stagehand := &crowd{c: c, mode: mode, client: c.Client().CoreV1().RESTClient(), random: rand.New(rand.NewPCG(seed, 0))}
	stagehand.setUp(t)
	var all sync.WaitGroup
	for i := range 8 {
		one := &crowd{c: c, mode: mode, client: stagehand.client, random: rand.New(rand.NewPCG(seed, uint64(i)+1)), number: i}
		all.Go(func() {
			for range 12 {
				one.do(t.Context())
			}
		})
	}
	all.Wait()
	if err := c.Resume(t.Context()); err != nil {
		t.Error(err)
	}
	if err := c.AwaitRest(t.Context()); err != nil {
		t.Error(err)
	}
	if gaps, err := r.State(); gaps > 0 || err != nil {
		t.Errorf("%d gaps, %v", gaps, err)
	}
	c.Close()
	return log.String()
}

// crowd is one of many clients.
type crowd struct {
	c      *cluster.Cluster
	mode   engine.Mode
	client rest.Interface
	random *rand.Rand
	number int
}

const (
	crowdPods    = "/api/v1/namespaces/default/pods"
	crowdMaps    = "/api/v1/namespaces/default/configmaps"
	crowdRoles   = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
	crowdBinding = `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRoleBinding","metadata":{"name":"robot"},` +
		`"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"edit"},"subjects":[{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"robot"}]}`
)

// setUp makes what the clients contend for.
func (c *crowd) setUp(t *testing.T) {
	t.Helper()
	faults := "/apis/sim.kubesim.dev/v1alpha1/faults"
	fault := func(name, spec string) string {
		return `{"apiVersion":"sim.kubesim.dev/v1alpha1","kind":"Fault","metadata":{"name":"` + name + `"},"spec":` + spec + `}`
	}
	for _, r := range []struct{ path, body string }{
		{faults, fault("moody", `{"requests":{"resources":["configmaps"]},"error":{"code":503},"percent":20}`)},
		{faults, fault("slow", `{"requests":{"resources":["configmaps","pods/eviction"]},"latency":"2ms","percent":30}`)},
		{faults, fault("few", `{"requests":{"resources":["secrets"]},"error":{"code":500},"limit":3}`)},
		{"/apis/policy/v1/namespaces/default/poddisruptionbudgets", `{"apiVersion":"policy/v1","kind":"PodDisruptionBudget","metadata":{"name":"some"},` +
			`"spec":{"maxUnavailable":2,"selector":{"matchLabels":{"budget":"some"}}}}`},
		{"/api/v1/namespaces/default/resourcequotas", `{"apiVersion":"v1","kind":"ResourceQuota","metadata":{"name":"some"},"spec":{"hard":{"pods":"25"}}}`},
		{crowdRoles, crowdBinding},
		{"/apis/batch/v1/namespaces/default/jobs", crowdJob("first", 6)},
	} {
		if status, body := c.request(t.Context(), http.MethodPost, r.path, "", r.body); status != http.StatusCreated {
			t.Fatalf("%s: %d %s", r.path, status, body)
		}
	}
}

func crowdJob(name string, pods int) string {
	return fmt.Sprintf(`{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":%q},"spec":{"completions":%d,"parallelism":%d,"template":{"metadata":{"labels":{"budget":"some"}},`+
		`"spec":{"restartPolicy":"Never","containers":[{"name":"main","image":"busybox","command":["sleep","40"]}]}}}}`, name, pods, pods)
}

// request sends one, as somebody other than the administrator if user is set. What
// becomes of it depends on the others.
func (c *crowd) request(ctx context.Context, method, path, user, body string) (int, string) {
	groups := []string{}
	if user == "" {
		user, groups = pki.Administrator, []string{pki.Administrators}
	}
	req := c.client.Verb(method).RequestURI(path).MaxRetries(0).SetHeader("Impersonate-User", user).SetHeader("Accept", "application/json")
	if len(groups) > 0 {
		req.SetHeader("Impersonate-Group", groups...)
	}
	if method == http.MethodPatch {
		req.SetHeader("Content-Type", "application/merge-patch+json")
		if strings.Contains(path, "fieldManager") {
			req.SetHeader("Content-Type", "application/apply-patch+yaml")
		}
	} else {
		req.SetHeader("Content-Type", "application/json")
	}
	if body != "" {
		req.Body(io.Reader(strings.NewReader(body)))
	}
	var status int
	answer, _ := req.Do(ctx).StatusCode(&status).Raw() // the status says it
	return status, string(answer)
}

// pod is one of those that there are; nobody changes them on the way.
func (c *crowd) pod(ctx context.Context) string {
	pods, err := c.c.Client().CoreV1().Pods("default").List(ctx, metav1.ListOptions{})
	if err != nil || len(pods.Items) == 0 {
		return "none"
	}
	return pods.Items[c.random.IntN(len(pods.Items))].Name
}

// do does one thing; the requester may lose patience.
func (c *crowd) do(ctx context.Context) {
	timeout := ""
	switch c.random.IntN(8) {
	case 0:
		inTime, cancel := context.WithTimeout(ctx, time.Duration(c.random.IntN(5_000))*time.Microsecond)
		defer cancel()
		ctx = inTime
	case 1:
		timeout = "timeout=1ms"
	}
	name := fmt.Sprintf("map-%d", c.random.IntN(6))
	asked := func(path string) string {
		if strings.Contains(path, "?") {
			return path + "&" + timeout
		}
		return path + "?" + timeout
	}
	switch c.random.IntN(20) {
	case 0, 1:
		c.request(ctx, http.MethodPost, asked(crowdPods), "", crowdPod(c.random.IntN(60), ""))
	case 2:
		c.request(ctx, http.MethodPost, asked(crowdPods), "", crowdPod(c.random.IntN(60), "nobody"))
	case 3, 4, 5:
		c.evict(ctx, asked)
	case 6:
		c.bind(ctx, asked)
	case 7:
		c.request(ctx, http.MethodDelete, asked(crowdPods+"/"+c.pod(ctx)), "", "")
	case 8:
		c.request(ctx, http.MethodDelete, asked(crowdPods+"?labelSelector=budget%21%3Dsome"), "", "")
	case 9:
		c.request(ctx, http.MethodDelete, asked(crowdMaps), "", "")
	case 10:
		c.request(ctx, http.MethodPost, asked(crowdMaps), "robot", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"`+name+`"}}`)
	case 11:
		c.request(ctx, http.MethodPatch, asked(crowdMaps+"/"+name+"?fieldManager=crowd&force=true"), "robot",
			fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":%q},"data":{"by":"%d"}}`, name, c.number))
	case 12:
		c.request(ctx, http.MethodPut, asked(crowdMaps+"/"+name), "", fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":%q},"data":{"by":"%d"}}`, name, c.random.IntN(100)))
	case 13:
		c.rights(ctx, asked)
	case 14:
		c.request(ctx, http.MethodGet, "/api/v1/namespaces/default/secrets", "", "")
		c.request(ctx, http.MethodGet, crowdMaps, "", "")
	case 15:
		c.request(ctx, http.MethodPost, asked("/apis/batch/v1/namespaces/default/jobs"), "", crowdJob(fmt.Sprintf("job-%d", c.random.IntN(8)), 2))
	case 16:
		c.request(ctx, http.MethodPost, asked(crowdPods+"?dryRun=All"), "", crowdPod(5, ""))
		c.request(ctx, http.MethodPost, asked("/api/v1/namespaces/default/serviceaccounts/default/token"), "", `{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest"}`)
		c.request(ctx, http.MethodPatch, asked(crowdPods+"/"+c.pod(ctx)+"/status"), "", `{"status":{"message":"seen"}}`)
	default:
		c.clock(ctx)
	}
}

func crowdPod(seconds int, scheduler string) string {
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"Pod","metadata":{"generateName":"pod-","labels":{"budget":%q}},"spec":{"restartPolicy":"Never","schedulerName":%q,`+
		`"containers":[{"name":"main","image":"busybox","command":["sleep","%d"]}]}}`, []string{"some", "none"}[seconds%2], scheduler, seconds)
}

func (c *crowd) evict(ctx context.Context, asked func(string) string) {
	var all sync.WaitGroup
	for range 3 { // as 'kubectl drain' does
		name := c.pod(ctx)
		all.Go(func() {
			c.request(ctx, http.MethodPost, asked(crowdPods+"/"+name+"/eviction"), "", `{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"`+name+`"}}`)
		})
	}
	all.Wait()
}

func (c *crowd) bind(ctx context.Context, asked func(string) string) {
	pods, err := c.c.Client().CoreV1().Pods("default").List(ctx, metav1.ListOptions{FieldSelector: "spec.schedulerName=nobody,spec.nodeName="})
	if err != nil {
		return // the client has lost patience
	}
	for _, pod := range pods.Items {
		body := `{"apiVersion":"v1","kind":"Binding","metadata":{"name":"` + pod.Name + `"},"target":{"apiVersion":"v1","kind":"Node","name":"node-1"}}`
		c.request(ctx, http.MethodPost, asked(crowdPods+"/"+pod.Name+"/binding"), "", body)
	}
}

// rights gives the robot its rights, and takes them away.
func (c *crowd) rights(ctx context.Context, asked func(string) string) {
	if c.random.IntN(2) == 0 {
		c.request(ctx, http.MethodDelete, asked(crowdRoles+"/robot"), "", "")
		return
	}
	c.request(ctx, http.MethodPost, asked(crowdRoles), "", crowdBinding)
}

// clock does something with the clock; who advances it may lose patience in the middle.
func (c *crowd) clock(ctx context.Context) {
	switch c.random.IntN(6) {
	case 0:
		_ = c.c.Pause(ctx)
	case 1:
		_ = c.c.Resume(ctx)
	case 2:
		_ = c.c.Next(ctx)
	case 3:
		_ = c.c.SetMode(ctx, c.mode, 0)
	case 4:
		ctx, cancel := context.WithTimeout(ctx, time.Duration(c.random.IntN(2_000))*time.Microsecond)
		defer cancel()
		_ = c.c.Advance(ctx, time.Hour)
	default:
		_ = c.c.Advance(ctx, time.Duration(c.random.IntN(10_000))*time.Millisecond)
	}
}
