package v1alpha1

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

func TestValidateFault(t *testing.T) {
	for name, tc := range map[string]struct {
		spec string
		want []string // path: message
	}{
		"an error for a share of requests":                {`{requests: {verbs: [create], resources: [pods, "*.batch"], users: ["*"]}, error: {code: 503}, percent: 30, limit: 5}`, nil},
		"a node that is off the network, again and again": {`{nodes: node-1, notReady: {}, after: 1m, duration: 5m, repeat: {every: 1h, times: 3}}`, nil},
		"watches that are dropped need no duration":       {`{dropWatch: {}, repeat: {every: 1m}}`, nil},
		"defaults": {`{error: {}}`, nil},
		"a Fault does something": {`{}`, []string{
			"spec: Required value: set one of error, conflict, latency, dropWatch, expire, notReady, reboot, drain and pressure",
		}},
		"a Fault does one thing": {`{error: {}, conflict: {}}`, []string{
			"spec.conflict: Forbidden: a Fault does one thing, and error is set already: make it two Faults",
		}},
		"what hits nodes names them": {`{reboot: {}, requests: {}}`, []string{
			`spec.nodes: Required value: say which nodes, for example "node-1", or "*" for all`,
			"spec.requests: Forbidden: reboot hits nodes",
		}},
		"what hits requests names none": {`{latency: 5 s, nodes: "*"}`, []string{
			"spec.nodes: Forbidden: latency hits requests: say which in requests",
			`spec.latency: Invalid value: "5 s": want a duration, for example 250ms, 5s or 1h30m`,
		}},
		"verbs are RBAC's": {`{error: {code: 200}, requests: {verbs: [post], resources: [""]}}`, []string{
			"spec.requests.resources[0]: Required value: a pattern, or leave it out",
			`spec.requests.verbs[0]: Unsupported value: "post": supported values: "create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"`,
			"spec.error.code: Invalid value: 200: must be between 400 and 599",
		}},
		"watches have no other verb": {`{expire: {}, requests: {verbs: [get]}}`, []string{
			"spec.requests.verbs: Forbidden: expire is about watches: leave them out",
		}},
		"times that contradict each other": {`{pressure: {resource: Pids}, nodes: a, after: 1s, at: "2026-01-01T00:00:00Z", duration: 2m, repeat: {every: 1m, times: 0}, percent: 0, limit: 0}`, []string{
			`spec.pressure.resource: Unsupported value: "Pids": supported values: "Disk", "Memory"`,
			"spec.at: Forbidden: after is set already",
			"spec.percent: Invalid value: 0: must be between 1 and 100",
			"spec.limit: Invalid value: 0: must be at least 1",
			"spec.repeat.times: Invalid value: 0: must be at least 1",
			`spec.repeat.every: Invalid value: "1m": must be at least the duration, 2m`,
		}},
		"what repeats has a duration": {`{conflict: {}, repeat: {every: 0s}}`, []string{
			`spec.repeat.every: Invalid value: "0s": must be more than 0`,
			"spec.duration: Required value: say how long it is active each time",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			f := &Fault{}
			f.Name = "f"
			if err := yaml.UnmarshalStrict([]byte(tc.spec), &f.Spec); err != nil {
				t.Fatal(err)
			}
			SetDefaultsFault(f)
			var got []string
			for _, err := range ValidateFault(f) {
				got = append(got, err.Error())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
}
