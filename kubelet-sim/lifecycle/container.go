package lifecycle

// hold takes over what a probe has decided.
func (c *containerState) hold(p *probeState) (changed bool) {
	switch {
	case p.Type == readiness:
		changed = c.Ready != p.Last
		c.Ready = p.Last
	case p.Type == startup && p.Last:
		changed = !c.Started
		c.Started, p.Over = true, true
	case p.Type == startup:
		changed = true
		c.Unhealthy, p.Over = startupFailed, true
	case !p.Last:
		changed = true
		c.Unhealthy, p.Over = livenessFailed, true
	}
	return changed
}
