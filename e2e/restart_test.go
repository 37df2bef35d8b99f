package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// moments are those at which the server of TestARestartChangesNothing is
// stopped: in the middle of pulls, back-offs, sleeps and deadlines.
var moments = []string{"0s", "300ms", "1s", "2500ms", "7s", "11s", "21s", "45s", "2m", "15m"}

// createWorkload creates the Jobs of workload, CronJobs, the Pods whose images change, and
// Faults that hit them when the server is stopped and in between.
func createWorkload(t *testing.T, s *server, client *kubernetes.Clientset) {
	t.Helper()
	all := map[string]any{}
	s.applyFaults(t, []map[string]any{
		{"latency": "1500ms", "percent": 20, "requests": map[string]any{"users": []string{"system:node:*", "*:job-controller"}}},
		{"error": map[string]any{"code": 503}, "percent": 30, "limit": 40, "requests": map[string]any{"resources": []string{"pods*"}, "verbs": []string{"create", "update"}}, "after": "5s"},
		{"conflict": all, "percent": 10, "duration": "10s", "repeat": map[string]any{"every": "1m"}},
		{"reboot": all, "nodes": "node-2", "after": "9s", "duration": "7s"},
		{"notReady": all, "nodes": "node-1", "after": "26s", "duration": "1m"},
		{"pressure": map[string]any{"resource": "Disk", "evictions": 3}, "nodes": "*", "percent": 50, "after": "2m", "duration": "1m"},
		{"drain": all, "nodes": "node-1", "after": "5m", "duration": "1m"},
	})
	for _, j := range workload() {
		if _, err := client.BatchV1().Jobs(j.Namespace).Create(t.Context(), j, createOptions); err != nil {
			t.Fatal(err)
		}
	}
	createImagePods(t, client)
	for _, c := range cronJobs() {
		if _, err := client.BatchV1().CronJobs(c.Namespace).Create(t.Context(), c, createOptions); err != nil {
			t.Fatal(err)
		}
	}
}

// reschedule gives the CronJobs another schedule.
func reschedule(t *testing.T, client *kubernetes.Clientset, schedule string) {
	t.Helper()
	for _, c := range cronJobs() {
		patch := fmt.Appendf(nil, `{"spec": {"schedule": %q}}`, schedule)
		if _, err := client.BatchV1().CronJobs(c.Namespace).Patch(t.Context(), c.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: "e2e"}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestARestartChangesNothing runs one workload twice, the second time with the
// server stopped and started again between any two moments: each object, each
// Pod's log and the event log are the same in the end, byte for byte.
func TestARestartChangesNothing(t *testing.T) {
	t.Parallel()
	whole := inMoments(t, false)
	again := inMoments(t, true)
	same(t, "event log", whole.events, again.events)
	same(t, "objects", whole.objects, again.objects)
	same(t, "Pods' logs", whole.logs, again.logs)
}

func inMoments(t *testing.T, restart bool) outcome {
	t.Helper()
	var acts []func(*server)
	for i, moment := range moments {
		acts = append(acts, func(s *server) {
			switch i {
			case 0:
				createWorkload(t, s, clientOf(t, s))
			case 3:
				changeImages(t, clientOf(t, s), "alpine:3.21")
			case 5:
				// It would have had a time by now; it waits for the next, if the
				// controller knows that it is new.
				reschedule(t, clientOf(t, s), "@every 4s")
			case 6:
				reschedule(t, clientOf(t, s), cronSchedule)
				changeImages(t, clientOf(t, s), "alpine:3.22")
			}
			s.clock(t, "advance", moment)
		})
	}
	return inActs(t, restart, []string{"--clock", "manual"}, acts)
}

// inActs plays acts on one cluster and returns what has become of it. With restart,
// the server is stopped and started again after each.
func inActs(t *testing.T, restart bool, args []string, acts []func(*server)) outcome {
	t.Helper()
	dir, eventLogs := t.TempDir(), t.TempDir()
	start := func(n int) *server {
		s, err := startServer(dir, append(os.Environ(), "HOME="+dir, "TMPDIR="+dir),
			append([]string{"--start-time", "2026-01-01T00:00:00Z", "--seed", "7",
				"--event-log", filepath.Join(eventLogs, fmt.Sprintf("%03d", n))}, args...)...)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := start(0)
	t.Cleanup(func() {
		if s.cmd.ProcessState == nil { // an act has failed
			s.kill()
		}
	})
	for i, act := range acts {
		act(s)
		if restart {
			if err := s.stop(); err != nil {
				t.Fatal(err)
			}
			s = start(i + 1)
		}
	}
	o := outcome{objects: dumpObjects(t, s), logs: dumpLogs(t, clientOf(t, s)), events: readAll(t, eventLogs)}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	return o
}

// readAll reads the files of a directory, one after the other.
func readAll(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(data)
	}
	return all.String()
}

// TestRewindRepeats rewinds the workload into its middle: every object is what it
// was, byte for byte; and from there all happens again as it did the first time,
// at other revisions.
func TestRewindRepeats(t *testing.T) {
	t.Parallel()
	s := newServer(t, "--clock", "manual", "--start-time", "2026-01-01T00:00:00Z", "--seed", "7")
	client := clientOf(t, s)
	createWorkload(t, s, client)
	s.clock(t, "advance", "21s")
	changeImages(t, client, "alpine:3.21")
	s.clock(t, "advance", "4s")
	middle := outcome{objects: dumpObjects(t, s), logs: dumpLogs(t, client)}
	// Some history more than a whole checkpoint's, and a moment without a write.
	s.clock(t, "advance", "10m")
	s.clock(t, "advance", "1ms")
	end := outcome{objects: dumpObjects(t, s), logs: dumpLogs(t, client)}

	for range 2 {
		s.kubesim(t, "rewind", "10m0.001s")
		same(t, "objects in the middle", middle.objects, dumpObjects(t, s))
		same(t, "logs in the middle", middle.logs, dumpLogs(t, client))
		s.clock(t, "advance", "10m")
		s.clock(t, "advance", "1ms")
		same(t, "objects in the end", withoutRevisions(end.objects), withoutRevisions(dumpObjects(t, s)))
		same(t, "logs in the end", end.logs, dumpLogs(t, client))
	}
}

var revisions = regexp.MustCompile(`"resourceVersion":"\d+"`)

func withoutRevisions(objects string) string { return revisions.ReplaceAllString(objects, "") }
