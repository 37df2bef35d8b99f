package kernel

import "time"

// RequestCPU is what a server's answer costs that says nothing else: a small file or a line
// of text. Unit: time of one core.
const RequestCPU = 200 * time.Microsecond

// quickMax is what an answer may cost that is there at once: nobody sees the time of a
// small one. Unit: time of one core.
const quickMax = time.Millisecond

// The kernel's bandwidth control: a container may use its limit's share of each period, and
// waits for the next one when it has. Source: QuotaPeriod and MinQuotaPeriod in
// k8s.io/kubernetes pkg/kubelet/cm v1.37.2.
const (
	quotaPeriod = 100 * time.Millisecond
	quotaMin    = time.Millisecond
)

// bandwidth hands out a container's time of its node's cores.
//
// Invariant: no period has more than its quota, and whoever asks first is served first.
type bandwidth struct {
	limit int64 // thousandths of a core; 0: none
	// period is the last one of which something is used.
	period time.Time
	used   time.Duration
}

// take uses so much time of one core from an instant on, and returns how long that takes
// beyond what it would without a limit.
func (b *bandwidth) take(at time.Time, work time.Duration) (throttled time.Duration) {
	if b.limit <= 0 {
		return 0
	}
	quota := max(quotaPeriod/1000*time.Duration(b.limit), quotaMin)
	if now := at.Truncate(quotaPeriod); now.After(b.period) {
		b.period, b.used = now, 0
	}
	if b.used+work <= quota {
		b.used += work
		return max(b.period.Sub(at), 0)
	}
	rest := work - (quota - b.used)
	more := (rest - 1) / quota // whole periods before the last one
	b.period, b.used = b.period.Add((more+1)*quotaPeriod), rest-more*quota
	return max(b.period.Add(b.used).Sub(at)-work, 0)
}

// spend accounts for what a server's answer costs, and returns how long it takes. A server
// has a process or a thread for each of its clients, so that one does not wait for another
// where there is no limit.
func (m *Machine) spend(work time.Duration) time.Duration {
	if work == 0 {
		work = RequestCPU
	}
	var wait time.Duration
	if !m.past {
		if m.cfg.Spent != nil {
			m.cfg.Spent(m.now, work)
		}
		wait = m.cpu.take(m.now, work)
	}
	if work > quickMax || wait > 0 {
		wait += work
	}
	return wait
}

// SetCPULimit changes what the container may use. Unit: thousandths of a core; 0: no limit.
func (m *Machine) SetCPULimit(milliCPU int64) { m.cpu.limit = milliCPU }
