package testcluster

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// BenchmarkStart measures a cluster from its start to its end, empty and with a Job that
// fails three times, in two minutes of virtual time.
func BenchmarkStart(b *testing.B) {
	for name, manifest := range map[string]string{"empty": "", "a Job that is retried": retried} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				f := &fake{name: b.Name()}
				f.run(func() { runOne(b, f, manifest) })
				if f.Failed() {
					b.Fatal(f.failure)
				}
			}
		})
	}
}

func runOne(b *testing.B, f *fake, manifest string) {
	c := Start(f, Config{})
	if manifest == "" {
		return
	}
	c.Apply(manifest)
	c.Eventually(15*time.Minute, func() error {
		job, err := c.Client().BatchV1().Jobs("default").Get(b.Context(), "retried", metav1.GetOptions{})
		if err == nil && job.Status.Failed < 3 {
			err = fmt.Errorf("%d Pods have failed", job.Status.Failed)
		}
		return err
	})
}

// BenchmarkHundredClusters has a hundred clusters at once, each with a Job of its own,
// and reports the memory that one takes.
func BenchmarkHundredClusters(b *testing.B) {
	for b.Loop() {
		f := &fake{name: b.Name()}
		f.run(func() {
			clusters := make([]*Cluster, 100)
			for i := range clusters {
				clusters[i] = Start(f, Config{Seed: uint64(i + 1)})
				clusters[i].Apply(retried)
			}
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			b.ReportMetric(float64(m.HeapAlloc)/float64(len(clusters))/1e6, "MB/cluster")
			for _, c := range clusters {
				c.Eventually(15*time.Minute, func() error {
					job, err := c.Client().BatchV1().Jobs("default").Get(b.Context(), "retried", metav1.GetOptions{})
					if err == nil && !failed(job) {
						err = fmt.Errorf("it is %+v", job.Status)
					}
					return err
				})
			}
		})
		if f.Failed() {
			b.Fatal(f.failure)
		}
	}
}

func failed(job *batchv1.Job) bool { return job.Status.Failed == 3 }
