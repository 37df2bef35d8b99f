package e2e

import (
	"fmt"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesim-dev/kubesim/cmd/kubesim/app"
	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// BenchmarkCronJobMonth advances a cluster with a minutely CronJob by 30 days:
// 43,200 Jobs, of which four stay.
func BenchmarkCronJobMonth(b *testing.B) {
	const month = 30 * 24 * time.Hour
	_, client := startCluster(b, app.Options{Ephemeral: true, Mode: engine.Manual, Nodes: 1})
	cj := &batchv1.CronJob{ObjectMeta: metav1.ObjectMeta{Name: "minutely"}, Spec: batchv1.CronJobSpec{Schedule: "* * * * *"}}
	cj.Spec.JobTemplate.Spec = newJob("", 1, 0, "echo tick").Spec
	if _, err := client.BatchV1().CronJobs("default").Create(b.Context(), cj, metav1.CreateOptions{}); err != nil {
		b.Fatal(err)
	}
	runs, before := 0, cpuTime()
	for b.Loop() {
		advance := fmt.Sprintf(`{"action": "advance", "duration": %q}`, month)
		post := client.RESTClient().Post().AbsPath("/kubesim/clock").SetHeader("Content-Type", "application/json").Body([]byte(advance))
		if err := post.Do(b.Context()).Error(); err != nil {
			b.Fatal(err)
		}
		runs += int(month / time.Minute)
	}
	b.ReportMetric(float64(runs)/b.Elapsed().Seconds(), "runs/s")
	b.ReportMetric(float64((cpuTime()-before).Microseconds())/float64(runs), "cpu-µs/run")
}
