package lifecycle

import "github.com/kubesim-dev/kubesim/kubelet-sim/prober"

// hold takes over what a probe has decided.
func (c *containerState) hold(p *prober.State) (changed bool) {
	switch {
	case p.Type == prober.Readiness:
		changed = c.Ready != p.Last
		c.Ready = p.Last
	case p.Type == prober.Startup && p.Last:
		changed = !c.Started
		c.Started, p.Over = true, true
	case p.Type == prober.Startup:
		changed = true
		c.Unhealthy, p.Over = startupFailed, true
	case !p.Last:
		changed = true
		c.Unhealthy, p.Over = livenessFailed, true
	}
	return changed
}
