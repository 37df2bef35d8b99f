package stats

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
)

// noon is one of the instants at which the kubelets are looked at.
var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func after(seconds float64) time.Time {
	return noon.Add(time.Duration(seconds * float64(time.Second)))
}

// observed is what a container does.
type observed struct {
	at    time.Time
	usage Usage
}

func exact(milliCPU, memory int64) Usage {
	return Usage{MilliCPU: milliCPU, Memory: memory, Exact: true}
}

func TestPodMetrics(t *testing.T) {
	const ki = 1 << 10
	for name, tc := range map[string]struct {
		start time.Time
		limit int64
		does  []observed
		now   time.Time
		want  string // cpu, memory, window; empty: none
	}{
		"nobody has looked at a new container":                        {after(1), 0, []observed{{after(1), exact(100, ki)}}, after(14), ""},
		"one that has run for less than ten seconds has none":         {after(6), 0, []observed{{after(6), exact(100, ki)}}, after(20), ""},
		"the first figures count from the start":                      {after(3), 0, []observed{{after(3), exact(100, ki)}}, after(20), "100m 1Ki 12s"},
		"figures are those of the last look":                          {after(1), 0, []observed{{after(1), exact(100, ki)}, {after(31), exact(900, 9*ki)}}, after(44), "100m 1Ki 15s"},
		"a change shows by its share of the window":                   {after(1), 0, []observed{{after(1), exact(100, ki)}, {after(36), exact(400, 2*ki)}}, after(45), "280m 2Ki 15s"},
		"a container that does nothing new is looked at all the same": {after(1), 0, []observed{{after(1), exact(100, ki)}}, after(3600), "100m 1Ki 15s"},
		"no container uses more than its limit":                       {after(1), 250, []observed{{after(1), exact(2000, ki)}}, after(60), "250m 1Ki 15s"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &Store{}
			c := s.Start(Place{Node: "n", Pod: types.NamespacedName{Namespace: "default", Name: "p"}, Container: "c"}, tc.start, tc.limit, nil)
			for _, o := range tc.does {
				c.Observe(o.at, o.usage)
			}
			if diff := cmp.Diff(tc.want, figures(t, s, tc.now)); diff != "" {
				t.Errorf("figures (-want +got):\n%s", diff)
			}
			c.End()
			if got := figures(t, s, after(7200)); got != "" {
				t.Errorf("a container that has ended has the figures %s", got)
			}
		})
	}
}

// figures are those of the one Pod in s.
func figures(t *testing.T, s *Store, now time.Time) string {
	t.Helper()
	m, err := NewMetrics(s, nil, func() time.Time { return now }, func(string, int64) uint64 { return 0 })
	if err != nil {
		t.Fatal(err)
	}
	pods, err := m.PodMetrics(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	if len(pods) == 0 {
		return ""
	}
	used := pods[0].Containers[0].Usage
	return used.Cpu().String() + " " + used.Memory().String() + " " + pods[0].Window.Duration.String()
}

// TestWhatIsSpent: work counts when it is done, and no more of it is than the limit allows.
func TestWhatIsSpent(t *testing.T) {
	for name, tc := range map[string]struct {
		limit int64
		spent map[float64]time.Duration // by seconds after noon
		now   time.Time
		want  string
	}{
		"work adds to what is used":       {0, map[float64]time.Duration{16: 3 * time.Second}, after(31), "300m 1Ki 15s"},
		"work of another window is over":  {0, map[float64]time.Duration{14: 3 * time.Second}, after(31), "100m 1Ki 15s"},
		"the limit bounds both together":  {250, map[float64]time.Duration{15: time.Minute}, after(31), "250m 1Ki 15s"},
		"what is left over is done later": {250, map[float64]time.Duration{15: 3 * time.Second}, after(46), "150m 1Ki 15s"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &Store{}
			c := s.Start(Place{Pod: types.NamespacedName{Namespace: "default", Name: "p"}, Container: "c"}, after(1), tc.limit, nil)
			c.Observe(after(1), exact(100, 1<<10))
			for at, cpu := range tc.spent {
				c.Spend(after(at), cpu)
			}
			if diff := cmp.Diff(tc.want, figures(t, s, tc.now)); diff != "" {
				t.Errorf("figures (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAPodHasNoFiguresWhileOneContainerIsNew(t *testing.T) {
	s, pod := &Store{}, types.NamespacedName{Namespace: "default", Name: "p"}
	s.Start(Place{Pod: pod, Container: "old"}, after(1), 0, nil).Observe(after(1), exact(100, 1<<10))
	s.Start(Place{Pod: pod, Container: "new"}, after(55), 0, nil).Observe(after(55), exact(100, 1<<10))
	if got := figures(t, s, after(61)); got != "" {
		t.Errorf("a Pod with a container that has run for five seconds has the figures %s", got)
	}
	if got := figures(t, s, after(75)); got == "" {
		t.Error("a Pod whose containers run has no figures")
	}
}

func TestNodeMetricsAddUp(t *testing.T) {
	s := &Store{}
	for _, pod := range []string{"a", "b"} {
		place := Place{Node: "n", Pod: types.NamespacedName{Namespace: "default", Name: pod}, Container: "c"}
		s.Start(place, after(1), 0, nil).Observe(after(1), exact(100, 1<<20))
	}
	m, err := NewMetrics(s, []string{"n", "other"}, func() time.Time { return after(60) }, func(string, int64) uint64 { return 0 })
	if err != nil {
		t.Fatal(err)
	}
	nodes, err := m.NodeMetrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, n := range nodes {
		got[n.Name] = n.Usage.Cpu().String() + " " + n.Usage.Memory().String()
	}
	if diff := cmp.Diff(map[string]string{"n": "296m 614Mi", "other": "96m 612Mi"}, got); diff != "" {
		t.Errorf("usage (-want +got):\n%s", diff)
	}
}
