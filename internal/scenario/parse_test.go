package scenario

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// head begins every file of these tests: what follows is line 4.
const head = "apiVersion: sim.kubesim.dev/v1alpha1\nkind: Scenario\nspec:\n"

func TestFilesThatAreNoScenarios(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"no Scenario": {"apiVersion: v1\nkind: Pod\n",
			"f.yaml:2: the first document is a Pod of v1: want a Scenario of sim.kubesim.dev/v1alpha1, and manifests after it"},
		"two Scenarios":           {head + "  nodes: 1\n---\n" + head, "f.yaml:7: a second Scenario: want one in a file"},
		"an unknown field":        {head + "  steps:\n  - wait: 3s\n", `f.yaml:5: unknown field "spec.steps[0].wait"`},
		"a value of a wrong type": {head + "  seed: seven\n", "f.yaml:4: spec.seed: want uint64, not string"},
		"a clock that flows":      {head + "  clock: realtime\n", `f.yaml:4: spec.clock: "realtime": want manual or auto: in realtime no run is like another`},
		"a start that is no instant": {head + "  startTime: today\n",
			`f.yaml:4: spec.startTime: "today": want RFC 3339, for example 2026-01-01T00:00:00Z`},
		"no duration": {head + "  for: -3s\n", `f.yaml:4: spec.for: "-3s": want a duration, for example 90s, 10m or 24h`},
		"two actions": {head + "  steps:\n  - suspend: job/a\n    resume: job/a\n", "f.yaml:6: spec.steps[0].resume: suspend is set as well: want one action in a step"},
		"a step out of order": {head + "  steps:\n  - at: 10s\n    note: a\n  - after: 5s\n    note: b\n  - at: 12s\n    note: c\n",
			`f.yaml:9: spec.steps[2].at: "12s": the step before is at 15s: put the steps in order`},
		"a field of another action": {head + "  steps:\n  - note: a\n    replicas: 3\n", "f.yaml:6: spec.steps[0].replicas: note has no such field"},
		"a field that is missing":   {head + "  steps:\n  - scale: job/a\n", "f.yaml:5: spec.steps[0].replicas: scale needs it"},
		"images of nothing":         {head + "  steps:\n  - setImage: deploy/a\n", "f.yaml:5: spec.steps[0].images: setImage needs it"},
		"no revision":               {head + "  steps:\n  - undo: deploy/a\n    toRevision: -1\n", `f.yaml:6: spec.steps[0].toRevision: -1: want 1 or more, or leave it out for the revision before`},
		"several rollouts":          {head + "  expect:\n  - rollout: deploy -l a=b\n", `f.yaml:5: spec.expect[0].rollout: "deploy -l a=b": want one object, TYPE/NAME, such as job/pi`},
		"a count of rollouts":       {head + "  expect:\n  - rollout: deploy/a\n    count: 1\n", "f.yaml:6: spec.expect[0].count: it does not belong to what the expectation looks at"},
		"several objects for one":   {head + "  steps:\n  - scale: job -l a=b\n    replicas: 1\n", `f.yaml:5: spec.steps[0].scale: "job -l a=b": want one object, TYPE/NAME, such as job/pi`},
		"an option of kubectl's":    {head + "  steps:\n  - delete: pods --all\n", `f.yaml:5: spec.steps[0].delete: "pods --all": want TYPE/NAME, or TYPE -l SELECTOR, and perhaps -n NAMESPACE; there is no option --all`},
		"no command of the clock": {head + "  steps:\n  - clock: back 3s\n",
			`f.yaml:5: spec.steps[0].clock: "back 3s": want "advance DURATION", "until TIME", "next", "pause", "resume", "mode auto" or "mode manual"`},
		"nothing to look at": {head + "  expect:\n  - cel: 'true'\n", "f.yaml:5: spec.expect[0]: want exactly one of object, objects, rollout, event and log"},
		"CEL that is none": {head + "  expect:\n  - object: job/a\n    cel: object.\n",
			"f.yaml:6: spec.expect[0].cel: expression:1:8: Syntax error: no viable alternative at input '.'\n | object.\n | .......^"},
		"CEL that is no condition": {head + "  expect:\n  - object: job/a\n    cel: size(objects)\n", "f.yaml:6: spec.expect[0].cel: it is of type int: want true or false"},
		"JSONPath without braces":  {head + "  expect:\n  - object: job/a\n    jsonPath: .status\n", `f.yaml:6: spec.expect[0].jsonPath: ".status": want it in braces, for example {.status.failed}`},
		"a step that is not there": {head + "  expect:\n  - object: job/a\n    exists: true\n    after: b\n", `f.yaml:7: spec.expect[0].after: "b": no step has this name`},
		"an end before an instant": {head + "  for: 1m\n  expect:\n  - object: job/a\n    exists: true\n    at: 2m\n", "f.yaml:6: spec.expect[0]: it looks further than spec.for, 1m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if _, err := Parse("f.yaml", []byte(tc.text)); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDefaults(t *testing.T) {
	s, err := Parse("dir/name.yaml", []byte(head+"  nodes: 0\n"))
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "name" || s.Seed() != 1 || s.Nodes() != 0 || !s.Start.Equal(defaultStart()) || s.Clock() != "manual" {
		t.Errorf("name %s, seed %d, nodes %d, start %s, clock %s", s.Name, s.Seed(), s.Nodes(), s.Start, s.Clock())
	}
}

func TestReferences(t *testing.T) {
	for text, want := range map[string]string{
		"job/pi": "job pi default", "job pi": "job pi default", "pods -l a=b": "pods a=b default", "pods -n team -l a=b,c": "pods a=b,c team",
		"pod/x -n team": "pod x team", "nodes": "nodes default",
	} {
		r, err := parseRef(text, "", "default")
		if err != nil {
			t.Fatal(err)
		}
		selector := ""
		if r.Selector != nil {
			selector = r.Selector.String()
		}
		if got := strings.Join(strings.Fields(r.Type+" "+r.Name+" "+selector+" "+r.Namespace), " "); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
	if r, err := parseRef("node-1", "nodes", ""); err != nil || r.Type != "nodes" || r.Name != "node-1" {
		t.Errorf("node-1 is %+v, %v", r, err)
	}
}
