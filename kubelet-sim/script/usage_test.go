package script

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program"
)

// TestCourse looks at what a container uses at some seconds after its start.
func TestCourse(t *testing.T) {
	for name, tc := range map[string]struct {
		steps string
		limit int64
		at    []int // seconds
		want  []string
	}{
		"half of the way at half of the time": {
			"[{usage: {cpu: 100m, course: [{after: 60s, cpu: 300m}]}}, {hang: {}}]", 0,
			[]int{0, 30, 60, 600}, []string{"100m", "200m", "300m", "300m"},
		},
		"down again": {
			"[{usage: {cpu: 0, course: [{after: 10s, cpu: 1}, {after: 20s, cpu: 0}]}}, {hang: {}}]", 0,
			[]int{5, 10, 15, 25}, []string{"500m", "1", "500m", "0"},
		},
		"the script goes on meanwhile": {
			"[{usage: {cpu: 100m, course: [{after: 60s, cpu: 700m}]}}, {wait: 20s}, {exit: 0}]", 0,
			[]int{10, 30}, []string{"200m", "over"},
		},
		"a later usage takes its place": {
			"[{usage: {cpu: 100m, course: [{after: 60s, cpu: 700m}]}}, {wait: 20s}, {usage: {cpu: 5m}}, {hang: {}}]", 0,
			[]int{10, 30, 90}, []string{"200m", "5m", "5m"},
		},
		"so does a later course": {
			"[{usage: {cpu: 0, course: [{after: 60s, cpu: 6}]}}, {wait: 30s}, {usage: {cpu: 1, course: [{after: 10s, cpu: 2}]}}, {hang: {}}]", 0,
			[]int{10, 35, 90}, []string{"1", "1500m", "2"},
		},
		"memory over the limit on the way": {
			"[{usage: {memory: 0, course: [{after: 60s, memory: 60Mi}]}}, {hang: {}}]", 40 << 20,
			[]int{30, 50}, []string{"<nil>", "killed for its memory"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := &Play{}
			if err := yaml.UnmarshalStrict([]byte(tc.steps), &p.Steps); err != nil {
				t.Fatal(err)
			}
			s := &v1alpha1.PodScript{Spec: v1alpha1.PodScriptSpec{Attempts: []v1alpha1.Attempt{{Steps: p.Steps}}}}
			s.Name = "s"
			if errs := v1alpha1.ValidatePodScript(s); len(errs) > 0 {
				t.Fatal(errs)
			}
			main, effects := p.Main(nil)
			c, err := program.Start(program.Spec{Image: "busybox", User: -1, Group: -1, Main: main, MemoryLimit: tc.limit, Output: func(program.Chunk) {}}, noon.Time)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			var got []string
			for _, at := range tc.at {
				until := noon.Add(time.Duration(at) * time.Second)
				for s := c.State(); !s.Exited && !s.WakeAt.IsZero() && !s.WakeAt.After(until); s = c.State() {
					c.Resume(s.WakeAt)
				}
				got = append(got, used(c.State(), effects))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("usage (-want +got):\n%s", diff)
			}
		})
	}
}

func used(s program.State, e *Effects) string {
	switch {
	case s.OOMKilled:
		return "killed for its memory"
	case s.Exited:
		return "over"
	}
	return fmt.Sprint(e.Usage.CPU)
}
