package e2e

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// runsPerSeed is how often the workload is run with one seed.
var runsPerSeed = often(20, 4)

// outcome is all that can be seen of a run.
type outcome struct {
	objects, logs, events string
}

// TestSameSeedSameCluster runs one workload again and again, each time in a
// new process: every object, every Pod's log and the event log are the same,
// byte for byte, whether what the controllers are trusted with is validated or not.
func TestSameSeedSameCluster(t *testing.T) {
	t.Parallel()
	const seed = 7
	n := runsPerSeed
	if testing.Short() {
		n = 3
	}
	first := simulate(t, seed)
	for i := 2; i <= n; i++ {
		t.Run(fmt.Sprintf("run %d", i), func(t *testing.T) {
			t.Parallel()
			again := simulate(t, seed, fmt.Sprintf("--check-trusted=%t", i%2 == 1))
			same(t, "event log", first.events, again.events)
			same(t, "objects", first.objects, again.objects)
			same(t, "Pods' logs", first.logs, again.logs)
		})
	}
	t.Run("another seed", func(t *testing.T) {
		t.Parallel()
		other := simulate(t, seed+1)
		if other.events == first.events || other.objects == first.objects || other.logs == first.logs {
			t.Errorf("seed %d gives the same event log, objects or logs as seed %d", seed+1, seed)
		}
	})
}

// differencesMax is how many differing lines are shown.
const differencesMax = 10

// same fails with the first lines that differ.
func same(t *testing.T, what, first, again string) {
	t.Helper()
	if first == again {
		return
	}
	a, b := strings.Split(first, "\n"), strings.Split(again, "\n")
	t.Errorf("%s: %d lines, in the first run %d", what, len(b), len(a))
	shown := 0
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] && shown < differencesMax {
			t.Errorf("%s: line %d differs: %.60s\n-%s\n+%s", what, i+1, a[i], excerpt(a[i], b[i]), excerpt(b[i], a[i]))
			shown++
		}
	}
}

// excerpt returns the part of line around the first byte in which it differs
// from other.
func excerpt(line, other string) string {
	at := 0
	for at < min(len(line), len(other)) && line[at] == other[at] {
		at++
	}
	return line[max(0, at-80):min(len(line), at+80)]
}

// simulate runs the workload in a new process. The first half of the Jobs are
// created at one instant and run together, the others one after another.
func simulate(t *testing.T, seed int, flags ...string) outcome {
	t.Helper()
	eventLog := filepath.Join(t.TempDir(), "events")
	s := newServer(t, append([]string{"--ephemeral", "--nodes", crowdNodes, "--clock", "manual", "--start-time", "2026-01-01T00:00:00Z",
		"--seed", strconv.Itoa(seed), "--event-log", eventLog}, flags...)...)
	client := clientOf(t, s)
	for i, j := range workload() {
		if i == workloadJobs/2 {
			s.clock(t, "mode", "auto")
		}
		if _, err := client.BatchV1().Jobs(j.Namespace).Create(t.Context(), j, createOptions); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
	createImagePods(t, client)
	changeImages(t, client, "alpine:3.21")
	rollOver(t, s, client)
	rollEverywhere(t, s, client)
	crowdOut(t, s, client)
	jobs, err := client.BatchV1().Jobs("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs.Items {
		if !finished(&j) {
			t.Errorf("seed %d: %s has not finished: %+v", seed, j.Name, j.Status)
		}
	}
	o := outcome{objects: dumpObjects(t, s), logs: dumpLogs(t, client)}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	events, err := os.ReadFile(eventLog)
	if err != nil {
		t.Fatal(err)
	}
	o.events = string(events)
	t.Logf("%d objects, %d lines of events, sha256 %.8x", strings.Count(o.objects, "\n"), strings.Count(o.events, "\n"), sha256.Sum256(events))
	return o
}

// clock runs `kubesim clock` against the server.
func (s *server) clock(t *testing.T, args ...string) {
	t.Helper()
	s.kubesim(t, append([]string{"clock"}, args...)...)
}

// kubesim runs a command against the server.
func (s *server) kubesim(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "kubesim", args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+s.kubeconfig)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("kubesim %v: %v\n%s", args, err, out)
	}
}

// dumpObjects returns every object of the API, a line each.
func dumpObjects(t *testing.T, s *server) string {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", s.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS, config.WarningHandler = -1, rest.NoWarnings{}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, gvr := range listable(t, discovery.NewDiscoveryClientForConfigOrDie(config)) {
		list, err := client.Resource(gvr).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatalf("list %s: %v", gvr, err)
		}
		for _, item := range list.Items {
			withoutAuthority(&item)
			line, err := json.Marshal(item.Object)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&out, "%s %s\n", gvr.Resource, line)
		}
	}
	return out.String()
}

// withoutAuthority removes what a cluster's own certificate authority puts
// into its objects: keys are random on purpose.
func withoutAuthority(o *unstructured.Unstructured) {
	if o.GetKind() == "ConfigMap" && o.GetName() == "kube-root-ca.crt" {
		unstructured.RemoveNestedField(o.Object, "data")
	}
	if o.GetKind() == "CertificateSigningRequest" {
		withoutSignature(o)
	}
}

// listable returns all resources that can be listed, in one order.
func listable(t *testing.T, client *discovery.DiscoveryClient) []schema.GroupVersionResource {
	t.Helper()
	_, lists, err := client.ServerGroupsAndResources()
	if err != nil {
		t.Fatal(err)
	}
	lists = discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list"}}, lists)
	found, err := discovery.GroupVersionResources(lists)
	if err != nil {
		t.Fatal(err)
	}
	var gvrs []schema.GroupVersionResource
	for gvr := range found {
		gvrs = append(gvrs, gvr)
	}
	slices.SortFunc(gvrs, func(a, b schema.GroupVersionResource) int { return strings.Compare(a.String(), b.String()) })
	return gvrs
}

// dumpLogs returns the logs of all Pods, with their virtual times.
func dumpLogs(t *testing.T, client kubernetes.Interface) string {
	t.Helper()
	pods, err := client.CoreV1().Pods(metav1.NamespaceAll).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, pod := range pods.Items {
		log, err := client.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{Timestamps: true}).DoRaw(t.Context())
		fmt.Fprintf(&out, "%s (error: %v)\n%s", pod.Name, err, log)
	}
	return out.String()
}
