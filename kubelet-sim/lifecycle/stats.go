package lifecycle

import (
	"fmt"
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stats"
)

// startStats begins to measure what the program of container i uses, which has
// just started.
func (r *Reconciler) startStats(run *podRun, i int, d podstate.Draw, at time.Time) {
	if run.apart {
		return
	}
	place := stats.Place{Node: run.node.Name, Pod: run.name, Container: run.Containers[i].Name}
	limit := run.Spec(run.pod, i).Resources.Limits.Cpu().MilliValue()
	run.parts[i].stats = r.cfg.Stats.Start(place, at, limit, func(scrape int64) uint64 {
		return d.Number(fmt.Sprintf("stats/%d", scrape))
	})
}

// measure takes over what the program of container i uses from now on.
func (run *podRun) measure(i int, at time.Time, used kernel.Usage) {
	if m := run.parts[i].stats; m != nil {
		m.Observe(at, run.usage(i, used))
	}
}

// usage is what container i uses: what its program does, but for what its script
// says.
func (run *podRun) usage(i int, used kernel.Usage) stats.Usage {
	u := stats.Usage{MilliCPU: used.MilliCPU, Memory: used.Memory}
	if e := run.parts[i].effects; e != nil && e.Usage != nil {
		u.Exact = true
		if e.Usage.CPU != nil {
			u.MilliCPU = e.Usage.CPU.MilliValue()
		}
		if e.Usage.Memory != nil {
			u.Memory = e.Usage.Memory.Value()
		}
	}
	return u
}

// endStats forgets what the program used, which has ended.
func (p *part) endStats() {
	if p.stats != nil {
		p.stats.End()
		p.stats = nil
	}
}
