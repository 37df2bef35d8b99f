package memory

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// gcPercent trades memory under load for a quarter of the processor time
	// (BenchmarkCronJob, 100 against 400); an idle server is not larger for it.
	gcPercent = 400
	// garbageMax bounds the garbage that this lets pile up beside a large heap; beyond
	// it, half of what is live. Unit: bytes.
	garbageMax = 512 << 20
)

// TuneGC sets how often this process collects garbage, unless $GOGC says so. It is
// for the process that serves, and for benchmarks that stand for it.
func TuneGC() {
	if _, chosen := os.LookupEnv("GOGC"); !chosen {
		debug.SetGCPercent(gcPercent)
		watchGC(&generation{percent: gcPercent})
	}
}

// generation is garbage, so that each collection finds it.
type generation struct{ percent int }

// watchGC sets the percentage after each collection.
func watchGC(g *generation) {
	runtime.SetFinalizer(g, func(g *generation) {
		sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(sample)
		if percent := percentFor(sample[0].Value.Uint64()); percent != g.percent {
			debug.SetGCPercent(percent)
			g.percent = percent
		}
		watchGC(g)
	})
}

// percentFor is how much garbage there may be beside a heap of so many live bytes, in
// percent of these.
func percentFor(live uint64) int {
	if live <= garbageMax*100/gcPercent {
		return gcPercent
	}
	const step = 10 // a new percentage stops the world for a moment
	percent := int(max(garbageMax*100/live, 50))
	return percent / step * step
}
