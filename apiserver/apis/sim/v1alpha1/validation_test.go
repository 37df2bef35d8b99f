package v1alpha1

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// read makes a PodScript of a spec in YAML.
func read(t *testing.T, spec string) *PodScript {
	t.Helper()
	s := &PodScript{}
	s.Name = "s"
	if err := yaml.UnmarshalStrict([]byte(spec), &s.Spec); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestValidatePodScript(t *testing.T) {
	for name, tc := range map[string]struct {
		spec string
		want []string // path: message
	}{
		"every step is valid": {`
match: {namespace: "team-*", podSelector: {matchLabels: {app: web}}, image: "*", owner: {kind: Job, name: "a*"}, container: c, indexes: "0,3-5"}
attempts:
- steps: [{pull: 30s}, {pullError: no such host}]
- indexes: "1"
  steps:
  - pull: 1m
  - {log: a, percent: 100}
  - stderr: ""
  - wait: 1h30m
  - shell: echo
  - ready: true
  - usage: {cpu: 250m, memory: 1Gi}
  - terminationMessage: m
  - {exit: 1, percent: 30}
  - {signal: SIGKILL, percent: 1}
  - {oom: {}, percent: 1}
  - {evict: {}, percent: 1}
  - {run: {}, percent: 1}
  - hang: {ignoreSIGTERM: true}`, nil},
		"a script has attempts":            {`{}`, []string{"spec.attempts: Required value"}},
		"an attempt has steps":             {`attempts: [{}]`, []string{"spec.attempts[0].steps: Required value"}},
		"a step does something":            {`attempts: [{steps: [{percent: 3}]}]`, []string{"spec.attempts[0].steps[0]: Required value"}},
		"a step does one thing":            {`attempts: [{steps: [{log: a, exit: 1}]}]`, []string{"spec.attempts[0].steps[0].exit: Forbidden"}},
		"nothing follows the end":          {`attempts: [{steps: [{exit: 1}, {log: a}, {log: b}]}]`, []string{"spec.attempts[0].steps[1].log: Forbidden", "spec.attempts[0].steps[2].log: Forbidden"}},
		"something may follow a maybe":     {`attempts: [{steps: [{exit: 1, percent: 5}, {log: a}]}]`, nil},
		"the image is pulled first":        {`attempts: [{steps: [{log: a}, {pull: 5s}]}]`, []string{"spec.attempts[0].steps[1].pull: Forbidden"}},
		"a wait is a duration":             {`attempts: [{steps: [{wait: "5"}, {wait: -5s}, {pull: 5 s}]}]`, []string{"spec.attempts[0].steps[0].wait: Invalid value", "spec.attempts[0].steps[1].wait: Invalid value", "spec.attempts[0].steps[2].pull: Invalid value", "spec.attempts[0].steps[2].pull: Forbidden"}},
		"a wait ends":                      {`attempts: [{steps: [{wait: 1000000h}]}]`, []string{"spec.attempts[0].steps[0].wait: Invalid value"}},
		"an exit code is a byte":           {`attempts: [{steps: [{exit: 256}]}]`, []string{"spec.attempts[0].steps[0].exit: Invalid value"}},
		"percents end at 100":              {`attempts: [{steps: [{exit: 1, percent: 101}]}]`, []string{"spec.attempts[0].steps[0].percent: Invalid value"}},
		"a signal has a name":              {`attempts: [{steps: [{signal: KILL}]}]`, []string{"spec.attempts[0].steps[0].signal: Unsupported value"}},
		"use is not negative":              {`attempts: [{steps: [{usage: {cpu: -1, memory: -1}}, {usage: {}}]}]`, []string{"spec.attempts[0].steps[0].usage.cpu: Invalid value", "spec.attempts[0].steps[0].usage.memory: Invalid value", "spec.attempts[0].steps[1].usage: Required value"}},
		"a shell step runs something":      {`attempts: [{steps: [{shell: " "}]}]`, []string{"spec.attempts[0].steps[0].shell: Required value"}},
		"a failed pull has a reason":       {`attempts: [{steps: [{pullError: ""}]}]`, []string{"spec.attempts[0].steps[0].pullError: Required value"}},
		"texts are bounded":                {`attempts: [{steps: [{terminationMessage: "` + strings.Repeat("x", 4097) + `"}]}]`, []string{"spec.attempts[0].steps[0].terminationMessage: Too long"}},
		"indexes are numbers and ranges":   {`{match: {indexes: "1-"}, attempts: [{indexes: "3-1", steps: [{exit: 0}]}]}`, []string{"spec.match.indexes: Invalid value", "spec.attempts[0].indexes: Invalid value"}},
		"a course goes forward":            {`{attempts: [{steps: [{usage: {cpu: 1, course: [{after: 1m, cpu: 2}, {after: 60s, cpu: 3}]}}]}]}`, []string{"spec.attempts[0].steps[0].usage.course[1].after: Invalid value"}},
		"a course begins later":            {`{attempts: [{steps: [{usage: {cpu: 1, course: [{after: 0s, cpu: 2}]}}]}]}`, []string{"spec.attempts[0].steps[0].usage.course[0].after: Invalid value"}},
		"a point sets what the usage sets": {`{attempts: [{steps: [{usage: {cpu: 1, course: [{after: 1s, memory: 1Gi}]}}]}]}`, []string{"spec.attempts[0].steps[0].usage.course[0].cpu: Required value", "spec.attempts[0].steps[0].usage.course[0].memory: Forbidden"}},
		"a point is not negative":          {`{attempts: [{steps: [{usage: {cpu: 1, course: [{after: 1x, cpu: -1}]}}]}]}`, []string{"spec.attempts[0].steps[0].usage.course[0].after: Invalid value", "spec.attempts[0].steps[0].usage.course[0].cpu: Invalid value"}},
		"a kind is no resource":            {`{match: {owner: {kind: deployments}}, attempts: [{steps: [{exit: 0}]}]}`, []string{"spec.match.owner.kind: Invalid value"}},
		"an owner has a name or a kind":    {`{match: {owner: {}}, attempts: [{steps: [{exit: 0}]}]}`, []string{"spec.match.owner: Required value"}},
		"a selector is upstream's":         {`{match: {podSelector: {matchExpressions: [{key: a, operator: Is}]}}, attempts: [{steps: [{exit: 0}]}]}`, []string{"spec.match.podSelector.matchExpressions[0].operator: Invalid value"}},
		"percents begin at 1":              {`attempts: [{steps: [{exit: 1, percent: 0}]}]`, []string{"spec.attempts[0].steps[0].percent: Invalid value"}},
		"messages of Pods are bounded":     {`attempts: [{steps: [{evict: {message: "` + strings.Repeat("x", 4097) + `"}}]}]`, []string{"spec.attempts[0].steps[0].evict.message: Too long"}},
		"what is printed is bounded":       {`attempts: [{steps: [{log: "` + strings.Repeat("x", textMax+1) + `"}]}]`, []string{"spec.attempts[0].steps[0].log: Too long"}},
		"attempts are bounded":             {`attempts: [` + strings.Repeat("{steps: [{exit: 0}]},", attemptsMax+1) + `]`, []string{"spec.attempts: Too many"}},
		"steps are bounded":                {`attempts: [{steps: [` + strings.Repeat("{log: a},", stepsMax+1) + `]}]`, []string{"spec.attempts[0].steps: Too many"}},
		"nothing follows a failed pull":    {`attempts: [{steps: [{pullError: no}, {log: a}]}]`, []string{"spec.attempts[0].steps[1].log: Forbidden"}},
		"nothing follows an eviction":      {`attempts: [{steps: [{evict: {}}, {log: a}]}]`, []string{"spec.attempts[0].steps[1].log: Forbidden"}},
		"an empty selector matches all":    {`{match: {podSelector: {}}, attempts: [{steps: [{exit: 0}]}]}`, nil},
		"the pull may be all that is said": {`attempts: [{steps: [{pull: 5s}, {run: {}}]}]`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, err := range ValidatePodScript(read(t, tc.spec)) {
				got = append(got, err.Field+": "+err.Type.String())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHasIndex(t *testing.T) {
	for list, want := range map[string]string{"0": "0", "0,3-5": "0345", "5-5,1": "15", "": "", "-1": "", "1-": "", "a": "", "99999999999": ""} {
		got := ""
		for i := range 10 {
			if HasIndex(list, i) {
				got += string(rune('0' + i))
			}
		}
		if got != want {
			t.Errorf("%q has %q, want %q", list, got, want)
		}
	}
}
