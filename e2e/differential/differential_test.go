// Package differential holds kubesim's controllers against upstream's own, with
// random workloads.
package differential

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	gocmp "github.com/google/go-cmp/cmp"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/klog/v2"
	"pgregory.net/rapid"
)

var (
	count = flag.Int("differential.workloads", 500, "how many random Jobs and CronJobs to play with our controllers and with upstream's")
	// One lasts longer than a Job, and its containers have probes.
	applicationCount = flag.Int("differential.applications", 50, "how many random Deployments, StatefulSets and so on")
	seed             = flag.Uint64("differential.seed", 1, "decides which")
)

// batchSize is how many workloads share a cluster.
const batchSize = 50

func TestMain(m *testing.M) {
	klog.SetLogger(logr.Discard())
	// The one that upstream appends waits until the wall clock is a millisecond
	// past the last error; a bubble's clock is years behind.
	utilruntime.ErrorHandlers = []utilruntime.ErrorHandler{func(context.Context, error, string, ...any) {}}
	os.Exit(m.Run())
}

// TestWorkloadsEndAsUnderUpstreamsControllers plays random workloads, with what
// users and failing nodes do to them, in two clusters: one with our controllers, and one
// with upstream's own instead. What becomes of the Jobs, their Pods and Events is the same
// at each step and in the end. A workload that differs is shrunk to a minimal one.
func TestWorkloadsEndAsUnderUpstreamsControllers(t *testing.T) { check(t, *count, workloads()) }

// TestApplicationsEndAsUnderUpstreamsControllers does so with Deployments, StatefulSets,
// DaemonSets, ReplicaSets, ReplicationControllers and budgets of their Pods.
func TestApplicationsEndAsUnderUpstreamsControllers(t *testing.T) {
	check(t, *applicationCount, applications())
}

func check(t *testing.T, n int, workloads *rapid.Generator[*workload]) {
	t.Helper()
	n /= fewer
	if testing.Short() {
		n = min(n, batchSize)
	}
	setFlag(t, "rapid.checks", strconv.Itoa(n))
	setFlag(t, "rapid.seed", strconv.FormatUint(*seed, 10))
	setFlag(t, "rapid.nofailfile", "true")
	setFlag(t, "rapid.shrinktime", "3m")
	// Rapid draws the same twice: first to play many in one cluster, then to
	// judge each, and to shrink one that differs, alone.
	var all []*workload
	rapid.Check(t, func(rt *rapid.T) { all = append(all, workloads.Draw(rt, "workload")) })
	verdicts := judgeAll(t, all)
	rapid.Check(t, func(rt *rapid.T) {
		w := workloads.Draw(rt, "workload")
		verdict, judged := verdicts[w.String()]
		if !judged || verdict != "" {
			verdict = judge(t, []*workload{w})[0]
		}
		if verdict != "" {
			rt.Fatalf("differs, however often it is played, with -differential.seed=%d (-upstream +ours):\n%s\n%s", *seed, w, verdict)
		}
	})
}

// TestWorkloadsThatOnceDiffered plays those in testdata, each of which has shown
// a difference that was mended.
func TestWorkloadsThatOnceDiffered(t *testing.T) {
	names, err := filepath.Glob("testdata/*.json")
	if err != nil || len(names) == 0 {
		t.Fatalf("workloads in testdata: %v, %v", names, err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".json"), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			w := &workload{}
			if err := json.Unmarshal(text, w); err != nil {
				t.Fatal(err)
			}
			if verdict := judge(t, []*workload{w})[0]; verdict != "" {
				t.Errorf("differs, however often it is played (-upstream +ours):\n%s\n%s", w, verdict)
			}
		})
	}
}

func setFlag(t *testing.T, name, value string) {
	t.Helper()
	f := flag.Lookup(name)
	was := f.Value.String()
	t.Cleanup(func() { _ = f.Value.Set(was) })
	if err := f.Value.Set(value); err != nil {
		t.Fatal(err)
	}
}

// judgeAll judges the workloads, by their text.
func judgeAll(t *testing.T, all []*workload) map[string]string {
	t.Helper()
	// The long ones apart, so that the others' nodes need not go on as long.
	slices.SortStableFunc(all, func(a, b *workload) int {
		return cmp.Or(a.Season-b.Season, cmp.Compare(a.duration(), b.duration()))
	})
	verdicts := map[string]string{}
	for start := time.Now(); len(all) > 0; {
		n := 1
		for n < min(len(all), batchSize) && all[n].Season == all[0].Season {
			n++
		}
		for i, verdict := range judge(t, all[:n]) {
			verdicts[all[i].String()] = verdict
		}
		all = all[n:]
		if testing.Verbose() {
			fmt.Fprintf(os.Stderr, "differential: %d to go, after %s\n", len(all), time.Since(start).Round(time.Second))
		}
	}
	return verdicts
}

// rounds is how often a workload is played that ends otherwise than under
// upstream's controllers, each time with another seed. Two Pods may end or start
// in such quick succession that upstream's controllers, whose goroutines race,
// come to this or that; one of it is what ours must come to.
const rounds = 5

// judge plays workloads of one season on both sides and returns what differs
// for each, "" for nothing.
func judge(t *testing.T, batch []*workload) []string {
	t.Helper()
	verdicts := make([]string, len(batch))
	wanted, gotten := make([][]string, len(batch)), make([][]string, len(batch))
	suspects := make([]int, len(batch))
	for i := range batch {
		suspects[i] = i
	}
	for round := 0; round < rounds && len(suspects) > 0; round++ {
		var again []*workload
		for _, i := range suspects {
			again = append(again, batch[i])
		}
		want, got := play(t, theirs, *seed+uint64(round), again), play(t, ours, *seed+uint64(round), again)
		var left []int
		for k, i := range suspects {
			wanted[i], gotten[i] = append(wanted[i], want[k]), append(gotten[i], got[k])
			verdicts[i] = ""
			if !anyAlike(wanted[i], gotten[i]) {
				left = append(left, i)
				verdicts[i] = gocmp.Diff(strings.Split(want[k], "\n"), strings.Split(got[k], "\n"))
			}
		}
		suspects = left
	}
	return verdicts
}

func anyAlike(wanted, gotten []string) bool {
	return slices.ContainsFunc(wanted, func(want string) bool {
		return slices.ContainsFunc(gotten, func(got string) bool { return alike(want, got) })
	})
}
