package e2e

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
)

var survivalSeeds = flag.Int("survival.seeds", often(3, 2), "how many times TestJobsSurviveFaults draws Faults")

// TestJobsSurviveFaults runs the workload of the determinism tests under random Faults,
// which the seed draws: requests of controllers and kubelets fail, conflict and take
// their time; nodes are cut off, reboot, are drained and run out of memory. Each Job
// comes to its right end; twice, with the same event log. Even seeds hit nodes too.
func TestJobsSurviveFaults(t *testing.T) {
	t.Parallel()
	for seed := int64(1); seed <= int64(*survivalSeeds); seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			random, disrupted := rand.New(rand.NewSource(seed)), seed%2 == 0
			var faults []map[string]any
			for i := range 12 {
				draw := requestFault
				if disrupted && i%2 == 0 {
					draw = nodeFault
				}
				faults = append(faults, draw(random))
			}
			first, again := underFaults(t, seed, faults, disrupted), underFaults(t, seed, faults, disrupted)
			same(t, "event log", first.events, again.events)
			same(t, "objects", first.objects, again.objects)
		})
	}
}

// requestFault draws a Fault of the requests that controllers and kubelets make. A
// false NotFound or AlreadyExists is not among them: that no API server says, and
// upstream's controllers believe it.
func requestFault(r *rand.Rand) map[string]any {
	pick := func(from ...string) string { return from[r.Intn(len(from))] }
	spec := drawTimes(r)
	requests := map[string]any{
		"users":     []string{pick("*:job-controller", "system:node:*", "system:kube-scheduler", "*:*")},
		"resources": []string{pick("pods", "pods/status", "pods/binding", "jobs/status", "pods*", "*")},
	}
	spec["requests"] = requests
	switch r.Intn(3) {
	case 0:
		spec["error"] = map[string]any{"code": []int{400, 403, 429, 500, 503, 504}[r.Intn(6)]}
	case 1:
		spec["conflict"] = map[string]any{}
	case 2:
		spec["latency"] = fmt.Sprintf("%dms", 1+r.Intn(20_000))
	}
	return spec
}

func nodeFault(r *rand.Rand) map[string]any {
	spec := drawTimes(r)
	spec["nodes"] = []string{"node-1", "node-2", "*"}[r.Intn(3)]
	effects := []string{"notReady", "reboot", "drain", "pressure"}
	effect := effects[r.Intn(len(effects))]
	spec[effect] = map[string]any{}
	if effect == "pressure" {
		spec[effect] = map[string]any{"resource": []string{"Memory", "Disk"}[r.Intn(2)]}
	}
	return spec
}

// drawTimes draws when a Fault is active, and for whom.
func drawTimes(r *rand.Rand) map[string]any {
	spec := map[string]any{
		"after": fmt.Sprintf("%ds", r.Intn(180)), "duration": fmt.Sprintf("%ds", 1+r.Intn(60)), "percent": 10 + r.Intn(90),
	}
	if r.Intn(2) == 0 {
		spec["repeat"] = map[string]any{"every": fmt.Sprintf("%ds", 60+r.Intn(120)), "times": 1 + r.Intn(5)}
	}
	return spec
}

// underFaults runs the workload, and judges how each Job ends.
func underFaults(t *testing.T, seed int64, faults []map[string]any, disrupted bool) outcome {
	t.Helper()
	eventLog := filepath.Join(t.TempDir(), "events")
	s := newServer(t, "--ephemeral", "--clock", "manual", "--start-time", "2026-01-01T00:00:00Z",
		"--seed", strconv.Itoa(int(seed)), "--event-log", eventLog)
	s.applyFaults(t, faults)
	client := clientOf(t, s)
	for _, j := range workload() {
		j.Spec.TTLSecondsAfterFinished = nil // it is to be judged
		if _, err := client.BatchV1().Jobs(j.Namespace).Create(t.Context(), j, createOptions); err != nil {
			t.Fatal(err)
		}
	}
	s.clock(t, "advance", "3h")
	judgeJobs(t, client, disrupted)
	o := outcome{objects: dumpObjects(t, s)}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	events, err := os.ReadFile(eventLog)
	if err != nil {
		t.Fatal(err)
	}
	o.events = string(events)
	hits := len(regexp.MustCompile(`(?m) - \S+ fault/|fault/\S+ update nodes/`).FindAllString(o.events, -1))
	t.Logf("%d lines of events, %d of Faults", strings.Count(o.events, "\n"), hits)
	if hits == 0 {
		t.Error("no Fault has hit anything")
	}
	return o
}

// applyFaults creates a Fault for each spec. They are no List: for one kubectl reads all of
// /openapi/v2, and gives the server 32 s to build that.
func (s *server) applyFaults(t *testing.T, specs []map[string]any) {
	t.Helper()
	var stream bytes.Buffer
	documents := json.NewEncoder(&stream)
	for i, spec := range specs {
		if err := documents.Encode(map[string]any{
			"apiVersion": "sim.kubesim.dev/v1alpha1", "kind": "Fault", "metadata": map[string]any{"name": fmt.Sprintf("fault-%02d", i)}, "spec": spec,
		}); err != nil {
			t.Fatal(err)
		}
	}
	s.kubectl(t, stream.String(), "create", "-f", "-")
}

// kubectl runs it against the server, with stdin.
func (s *server) kubectl(t *testing.T, stdin string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "kubectl", args...)
	cmd.Env, cmd.Stdin = append(os.Environ(), "KUBECONFIG="+s.kubeconfig), strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("kubectl %v: %v\n%s%s", args, err, stdin, out)
	}
}

// output is what a command prints that is run against the server.
func (s *server) output(t *testing.T, command string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command, args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+s.kubeconfig)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v", command, args, err)
	}
	return string(out)
}

func judgeJobs(t *testing.T, client kubernetes.Interface, disrupted bool) {
	t.Helper()
	jobs, err := client.BatchV1().Jobs("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(jobs.Items) != workloadJobs {
		t.Errorf("%d Jobs are left of %d", len(jobs.Items), workloadJobs)
	}
	pods, err := client.CoreV1().Pods("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range jobs.Items {
		j := &jobs.Items[i]
		for _, wrong := range slices.Concat(judgeEnd(j), judgePods(j, pods.Items), judgeResult(j, disrupted)) {
			t.Errorf("%s: %s; status %+v", j.Name, wrong, j.Status)
		}
	}
}

// judgeEnd says what a finished Job's status must not say.
func judgeEnd(j *batchv1.Job) (wrong []string) {
	s := &j.Status
	if !finished(j) {
		return []string{"it has not finished"}
	}
	if s.Active != 0 || ptr.Deref(s.Ready, 0) != 0 || ptr.Deref(s.Terminating, 0) != 0 {
		wrong = append(wrong, "it has finished, and has Pods that run")
	}
	if u := s.UncountedTerminatedPods; u != nil && len(u.Succeeded)+len(u.Failed) > 0 {
		wrong = append(wrong, "it has finished with Pods that are not counted")
	}
	if (s.CompletionTime != nil) != (endOf(j) == string(batchv1.JobComplete)) {
		wrong = append(wrong, "its completionTime is wrong")
	}
	return wrong
}

// endOf is Complete, or why the Job has failed.
func endOf(j *batchv1.Job) string {
	end := ""
	for _, c := range j.Status.Conditions {
		switch {
		case c.Status != corev1.ConditionTrue:
		case c.Type == batchv1.JobComplete:
			end += string(c.Type)
		case c.Type == batchv1.JobFailed:
			end += c.Reason
		}
	}
	return end
}

// judgePods says what the Pods of a finished Job must not be.
func judgePods(j *batchv1.Job, pods []corev1.Pod) (wrong []string) {
	for i := range pods {
		p := &pods[i]
		if owner := metav1.GetControllerOf(p); owner == nil || owner.UID != j.UID {
			continue
		}
		if p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed {
			wrong = append(wrong, fmt.Sprintf("its Pod %s is %s on %s", p.Name, p.Status.Phase, p.Spec.NodeName))
		}
		if len(p.Finalizers) > 0 {
			wrong = append(wrong, "its Pod "+p.Name+" has its finalizer still")
		}
		if p.DeletionTimestamp != nil {
			wrong = append(wrong, "its Pod "+p.Name+" is not gone since "+p.DeletionTimestamp.Format(time.RFC3339))
		}
	}
	return wrong
}

// judgeResult says whether the Job has ended as its program wants it to. Requests that
// fail change nothing of that; nodes that fail cost Pods, which count.
func judgeResult(j *batchv1.Job, disrupted bool) (wrong []string) {
	s, end := &j.Status, endOf(j)
	completions := ptr.Deref(j.Spec.Completions, 1)
	if end == string(batchv1.JobComplete) && s.Succeeded < completions {
		wrong = append(wrong, "it is complete without its completions")
	}
	if end == batchv1.JobReasonBackoffLimitExceeded && s.Failed <= *j.Spec.BackoffLimit && j.Spec.Template.Spec.RestartPolicy == corev1.RestartPolicyNever {
		wrong = append(wrong, "it has failed without as many failures")
	}
	const complete = string(batchv1.JobComplete)
	n, err := strconv.Atoi(strings.TrimPrefix(j.Name, "job-"))
	if err != nil {
		return append(wrong, err.Error())
	}
	want, failures := complete, int32(0)
	switch n % 10 { // the order of workload's kinds
	case 1: // failing
		want, failures = batchv1.JobReasonBackoffLimitExceeded, 3
	case 5: // late
		want, failures = batchv1.JobReasonDeadlineExceeded, 1
	case 7: // byChance
		return wrong
	case 8: // perIndex
		want, failures = batchv1.JobReasonFailedIndexes, 4
	}
	exceeded := disrupted && end == batchv1.JobReasonBackoffLimitExceeded
	terminated := disrupted && want == batchv1.JobReasonDeadlineExceeded && end == complete // SIGTERM ends its program well
	if end != want && !exceeded && !terminated {
		wrong = append(wrong, fmt.Sprintf("it ends with %s, want %s", end, want))
	}
	if !disrupted && (s.Failed != failures || want == complete && s.Succeeded != completions) {
		wrong = append(wrong, fmt.Sprintf("%d Pods have failed, want %d; %d have succeeded", s.Failed, failures, s.Succeeded))
	}
	return wrong
}
