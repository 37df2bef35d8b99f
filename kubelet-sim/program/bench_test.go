package program

import (
	"testing"
	"time"
)

func BenchmarkStartToExit(b *testing.B) {
	for name, script := range map[string]string{
		"exit":       "exit 0",
		"sleep":      "echo start; sleep 30; exit 3",
		"pipe":       "echo a b | cut -d' ' -f1",
		"substitute": "x=$(expr 5 % 2); [ $x = 1 ]",
	} {
		b.Run(name, func(b *testing.B) {
			spec := busyboxSh(script)
			spec.Catalog = NewCatalog()
			spec.Hostname = "web-0"
			spec.Output = func(Chunk) {}
			spec.Env = []string{"KUBERNETES_SERVICE_HOST=10.96.0.1", "KUBERNETES_SERVICE_PORT=443", "JOB_COMPLETION_INDEX=5"}
			b.ReportAllocs()
			for b.Loop() {
				p, err := Start(spec, noon())
				if err != nil {
					b.Fatal(err)
				}
				for s := p.State(); !s.Exited; s = p.State() {
					p.Resume(s.WakeAt)
				}
				p.Close()
			}
		})
	}
}

func BenchmarkBusyLoop(b *testing.B) {
	spec := busyboxSh("while :; do :; done")
	spec.Catalog = NewCatalog()
	p, err := Start(spec, noon())
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	now := noon()
	for b.Loop() {
		now = now.Add(time.Second)
		p.Resume(now)
	}
}
