package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/internal/cluster"
)

// BenchmarkCronJob advances a cluster with a CronJob through its runs, whose Jobs
// have one Pod and of which four stay.
func BenchmarkCronJob(b *testing.B) {
	const day = 24 * time.Hour
	for _, bench := range []struct {
		name     string
		schedule string
		every    time.Duration
		span     time.Duration
	}{
		{"day of a minutely", "* * * * *", time.Minute, day},
		{"month of a minutely", "* * * * *", time.Minute, 30 * day},
		{"year of an hourly", "0 * * * *", time.Hour, 365 * day},
	} {
		b.Run(bench.name, func(b *testing.B) {
			_, client := startCluster(b, cluster.Options{Ephemeral: true, Mode: engine.Manual, Nodes: 1})
			cj := &batchv1.CronJob{ObjectMeta: metav1.ObjectMeta{Name: "ticks"}, Spec: batchv1.CronJobSpec{Schedule: bench.schedule}}
			cj.Spec.JobTemplate.Spec = newJob("", 1, 0, "echo tick").Spec
			if _, err := client.BatchV1().CronJobs("default").Create(b.Context(), cj, metav1.CreateOptions{}); err != nil {
				b.Fatal(err)
			}
			runs, before := 0, cpuTime()
			for b.Loop() {
				advance(b, client, bench.span)
				runs += int(bench.span / bench.every)
			}
			b.ReportMetric(float64(runs)/b.Elapsed().Seconds(), "runs/s")
			b.ReportMetric(float64((cpuTime()-before).Microseconds())/float64(runs), "cpu-µs/run")
		})
	}
}

// advance moves a cluster's time on.
func advance(b *testing.B, client *kubernetes.Clientset, span time.Duration) {
	b.Helper()
	body := fmt.Sprintf(`{"duration": %q}`, span)
	post := client.RESTClient().Post().AbsPath("/apis/sim.kubesim.dev/v1alpha1/clocks/cluster/advance").
		SetHeader("Content-Type", "application/json").SetHeader("Accept", "application/json").Body([]byte(body)) // a Clock has no protobuf
	if err := post.Do(b.Context()).Error(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkScenario plays such a year by kubesim run, which judges at each instant
// whether something has happened that never should.
func BenchmarkScenario(b *testing.B) {
	const year = `apiVersion: sim.kubesim.dev/v1alpha1
kind: Scenario
metadata: {name: year}
spec:
  for: 8760h
  expect:
  - name: there are never two at once
    objects: jobs
    cel: objects.filter(j, !has(j.status.completionTime)).size() > 1
    never: true
  - name: no Job fails
    event: BackoffLimitExceeded
    never: true
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: hourly}
spec:
  schedule: "0 * * * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: main, image: busybox, command: [echo, tick]}]
`
	file := filepath.Join(b.TempDir(), "year.yaml")
	if err := os.WriteFile(file, []byte(year), 0o600); err != nil {
		b.Fatal(err)
	}
	b.Run("year of an hourly", func(b *testing.B) {
		var cpu time.Duration
		for b.Loop() {
			run := exec.CommandContext(b.Context(), "kubesim", "run", file)
			if out, err := run.CombinedOutput(); err != nil {
				b.Fatalf("%v\n%s", err, out)
			}
			cpu += run.ProcessState.UserTime() + run.ProcessState.SystemTime()
		}
		b.ReportMetric(cpu.Seconds()/float64(b.N), "cpu-s/year")
	})
}
