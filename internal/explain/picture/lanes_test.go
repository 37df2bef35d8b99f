package picture

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kubesim-dev/kubesim/internal/explain"
)

// places is the story of a StatefulSet that has gone through some versions.
func places(replicas, versions int) explain.Story {
	end := noon.Add(time.Duration(versions) * time.Minute)
	s := explain.Story{Target: explain.Target{Kind: "StatefulSet", Namespace: "default", Name: "db"}, Start: noon, Now: end, Places: &explain.Places{}}
	for v := range versions {
		s.Places.Versions = append(s.Places.Versions, explain.Version{Name: fmt.Sprintf("db-0123456%d", v), Revision: fmt.Sprintf("revision %d", v+1)})
	}
	for i := range replicas {
		lane := explain.Lane{Name: fmt.Sprintf("db-%d", i)}
		for v := range versions {
			from := noon.Add(time.Duration(v) * time.Minute)
			for k, state := range []explain.SpanState{explain.IsNotReady, explain.IsBackOff, explain.IsReady, explain.IsTerminating} {
				lane.Spans = append(lane.Spans, explain.Span{
					From: from.Add(time.Duration(k) * 10 * time.Second), To: from.Add(time.Duration(k+1) * 10 * time.Second), UID: fmt.Sprint(i, v), Version: v, State: state,
				})
			}
		}
		s.Places.Lanes = append(s.Places.Lanes, lane)
	}
	s.Rows = []explain.Row{row("statefulset/db", between(explain.RollingOut, 0, time.Minute))}
	return s
}

// scaled is the story of an autoscaler with some metrics.
func scaled(metrics, samples int) explain.Story {
	end := noon.Add(time.Duration(samples) * 15 * time.Second)
	s := explain.Story{Target: explain.Target{Kind: "HorizontalPodAutoscaler", Namespace: "default", Name: "web"}, Start: noon, Now: end, Scaling: &explain.Scaling{Up: 0.1, Down: 0.1}}
	for m := range metrics {
		s.Scaling.Metrics = append(s.Scaling.Metrics, explain.ScalingMetric{Name: fmt.Sprintf("a metric with quite a long name, number %d", m), Target: "50%"})
	}
	for i := range samples {
		sample := explain.ScalingSample{At: noon.Add(time.Duration(i) * 15 * time.Second), Min: 1, Max: 100, Desired: int32(i), Ready: int32(i / 2)}
		for m := range metrics {
			load := float64(i) / float64(m+1)
			sample.Load = append(sample.Load, &load)
		}
		s.Scaling.Samples = append(s.Scaling.Samples, sample)
	}
	return s
}

func drawn(t *testing.T, s *explain.Story) string {
	t.Helper()
	var out strings.Builder
	if err := SVG(&out, s); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestALaneShowsVersionAndState: a version has a colour, what is not ready is pale, and two
// Pods of one place share its height.
func TestALaneShowsVersionAndState(t *testing.T) {
	span := func(uid string, version, line int, state explain.SpanState, from, to time.Duration) explain.Span {
		return explain.Span{UID: uid, Version: version, Line: line, State: state, From: noon.Add(from), To: noon.Add(to)}
	}
	s := places(0, 2)
	s.Places.Lanes = []explain.Lane{
		{Name: "db-0", Spans: []explain.Span{span("a", 0, 0, explain.IsNotReady, 0, time.Minute), span("a", 0, 0, explain.IsReady, time.Minute, 2*time.Minute)}},
		{Name: "db-1", Spans: []explain.Span{span("b", 0, 0, explain.IsTerminating, 0, time.Minute), span("c", 1, 1, explain.IsBackOff, 0, 2*time.Minute)}},
	}
	got := drawn(t, &s)
	for _, want := range []string{
		`height="24" rx="2"><title>db-0, revision 1: not ready from 0s to 1m</title>`, `height="24" rx="2"><title>db-0, revision 1: ready from 1m to 2m</title>`,
		`height="12" rx="2"><title>db-1, revision 1: terminating from 0s to 1m</title>`, `height="12" rx="2"><title>db-1, revision 2: back-off from 0s to 2m</title>`,
		`class="v0 unready"`, `class="v1 unready"`, `class="back-off over"`, `class="terminating over"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}

// TestAMissingMetricIsAGap: the line of a metric ends where there is none, and begins again.
func TestAMissingMetricIsAGap(t *testing.T) {
	s := scaled(1, 5)
	s.Scaling.Samples[2].Load[0] = nil
	_, path, _ := strings.Cut(drawn(t, &s), `class="load m0" fill="none" d="`)
	path, _, _ = strings.Cut(path, `"`)
	if n := strings.Count(path, "M"); n != 2 {
		t.Errorf("the line has %d parts, want 2: %s", n, path)
	}
}
