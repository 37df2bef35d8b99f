package stats

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Store finds what the Pods on the simulated nodes use. Its zero value is empty
// and ready. It may be used by several goroutines.
type Store struct {
	mu   sync.RWMutex
	pods map[types.NamespacedName]*pod
}

// pod has the running containers of one Pod, by name.
type pod struct {
	node       string
	containers map[string]*Container
}

// Place is where a container runs.
type Place struct {
	Node      string
	Pod       types.NamespacedName
	Container string
}

// Start begins to measure an instance of a container, in place of the one before,
// that starts at an instant and may use milliCPU thousandths of a core, or any
// number if that is 0. Numbers for what wavers come from draw, by the number of
// the look at its kubelet.
func (s *Store) Start(p Place, at time.Time, milliCPU int64, draw func(scrape int64) uint64) *Container {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pods == nil {
		s.pods = map[types.NamespacedName]*pod{}
	}
	if s.pods[p.Pod] == nil {
		s.pods[p.Pod] = &pod{node: p.Node, containers: map[string]*Container{}}
	}
	c := &Container{store: s, place: p, draw: draw, limit: milliCPU}
	begin := mark{at: at}
	c.meter = meter{start: at, now: begin, last: begin, prev: begin}
	s.pods[p.Pod].containers[p.Container] = c
	return c
}

// End forgets the container, which has ended, and with its last one the Pod.
func (c *Container) End() {
	s := c.store
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.pods[c.place.Pod]
	if p == nil || p.containers[c.place.Container] != c {
		return
	}
	delete(p.containers, c.place.Container)
	if len(p.containers) == 0 {
		delete(s.pods, c.place.Pod)
	}
}

// podStats is a Pod as it was at an instant.
type podStats struct {
	name       types.NamespacedName
	node       string
	containers []*Container // by name
}

// list returns the Pods of a namespace, of all if it is empty, sorted.
func (s *Store) list(namespace string) []podStats {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []podStats
	for name, p := range s.pods {
		if namespace != "" && name.Namespace != namespace {
			continue
		}
		one := podStats{name: name, node: p.node}
		for _, c := range p.containers {
			one.containers = append(one.containers, c)
		}
		slices.SortFunc(one.containers, func(a, b *Container) int { return cmp.Compare(a.place.Container, b.place.Container) })
		out = append(out, one)
	}
	slices.SortFunc(out, func(a, b podStats) int {
		return cmp.Or(cmp.Compare(a.name.Namespace, b.name.Namespace), cmp.Compare(a.name.Name, b.name.Name))
	})
	return out
}
