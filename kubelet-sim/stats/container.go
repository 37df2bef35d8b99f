package stats

import (
	"sync"
	"time"
)

// Usage is what a container uses.
type Usage struct {
	// MilliCPU is what it uses from now on. Unit: thousandths of a core.
	MilliCPU int64
	// Memory is its working set. Unit: bytes.
	Memory int64
	// Exact: the figures are shown as they are. Else they waver a little, as real
	// ones do.
	Exact bool
}

// Container measures one instance of a container. It may be used by several
// goroutines.
type Container struct {
	store *Store
	place Place
	draw  func(scrape int64) uint64
	limit int64 // thousandths of a core; 0: none

	mu sync.Mutex
	meter
}

// meter is what is known of a container at an instant.
type meter struct {
	start time.Time
	// now is the newest observation, and usage holds from then on.
	now   mark
	usage Usage
	// last and prev are how it was when its kubelet was looked at, the last time
	// and the time before. Before the first time both are the start.
	last, prev mark
}

// mark is one look at a container.
type mark struct {
	at     time.Time
	cpu    time.Duration // of one core, since the start
	owed   time.Duration // of one core, that is still to be used
	memory int64
}

// Observe says what the container uses from an instant on.
func (c *Container) Observe(at time.Time, u Usage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.roll(at, c.limit)
	here := c.until(at, c.limit)
	here.memory = u.Memory
	c.now, c.usage = here, u
}

// Spend says that the container has work to do, beside what it uses from now on. It does
// that as soon as its limit lets it. Unit: time of one core.
func (c *Container) Spend(at time.Time, cpu time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.roll(at, c.limit)
	c.now = c.until(at, c.limit)
	c.now.owed += cpu
}

// SetLimit bounds what the container uses from an instant on. Unit: thousandths
// of a core; 0 for no limit.
func (c *Container) SetLimit(at time.Time, milliCPU int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.roll(at, c.limit)
	c.now = c.until(at, c.limit)
	c.limit = milliCPU
}

// Memory is what the container holds now. Unit: bytes.
func (c *Container) Memory() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.usage.Memory
}

// at returns what was known of the container at an instant that is not before
// the newest observation.
func (c *Container) at(t time.Time) meter {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.meter
	m.roll(t, c.limit)
	return m
}

// roll takes the looks that are due until t. Only the last two count.
func (m *meter) roll(t time.Time, limit int64) {
	b := t.Truncate(Resolution)
	if !b.After(m.last.at) {
		return
	}
	m.prev = m.last
	if before := b.Add(-Resolution); before.After(m.last.at) {
		m.prev = m.until(before, limit)
	}
	m.last = m.until(b, limit)
}

// until is how the container is at t, if it goes on as it does.
func (m *meter) until(t time.Time, limit int64) mark {
	rate := m.usage.MilliCPU
	if limit > 0 {
		rate = min(rate, limit)
	}
	d := max(t.Sub(m.now.at), 0)
	paid := m.now.owed
	if limit > 0 {
		paid = min(paid, d/1000*time.Duration(limit-rate))
	}
	return mark{at: t, cpu: m.now.cpu + d/1000*time.Duration(rate) + paid, owed: m.now.owed - paid, memory: m.now.memory}
}
