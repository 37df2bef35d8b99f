package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// edgeTimes are first instants at and beyond what time can be.
var edgeTimes = []string{
	"0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "1000-01-01T00:00:00Z", "1700-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z", "1970-01-01T00:00:01Z", "2038-01-19T03:14:08Z",
	"2106-02-07T06:28:16Z", "2261-12-31T23:59:59Z", "2262-04-11T23:47:16Z", "2262-04-11T23:47:17Z", "2263-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
}

// longTimes are objects that ask for more time than there is.
const longTimes = `
{apiVersion: batch/v1, kind: Job, metadata: {name: sleep}, spec: {completions: 40, parallelism: 1, template: {spec: {restartPolicy: Never, containers: [{name: c, image: busybox, command: [sleep, "9000000000"]}]}}}}
---
{apiVersion: batch/v1, kind: Job, metadata: {name: infinity}, spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: busybox, command: [sleep, infinity]}]}}}}
---
{apiVersion: batch/v1, kind: Job, metadata: {name: limits}, spec: {activeDeadlineSeconds: 9223372036854775807, ttlSecondsAfterFinished: 2147483647, template: {spec: {restartPolicy: Never, activeDeadlineSeconds: 2147483647, terminationGracePeriodSeconds: 9223372036854775807, containers: [{name: c, image: busybox, command: [sleep, "99999999999999999999"]}]}}}}
---
{apiVersion: batch/v1, kind: CronJob, metadata: {name: never}, spec: {schedule: "0 0 30 2 *", startingDeadlineSeconds: 9223372036854775807, jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: busybox}]}}}}}}
---
{apiVersion: batch/v1, kind: CronJob, metadata: {name: daily}, spec: {schedule: "@daily", jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: busybox, command: ["true"]}]}}}}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: probes}, spec: {containers: [{name: c, image: busybox, command: [sleep, infinity], readinessProbe: {exec: {command: ["false"]}, periodSeconds: 2147483647, timeoutSeconds: 2147483647, initialDelaySeconds: 2147483647}}]}}
`

// refusesTime is how a start is refused: in one line that names the flag.
var refusesTime = regexp.MustCompile(`start-time`)

// attackTimes starts servers at the edges of time, and asks for more than there is. A start
// is refused with a reason, or the server runs, ends, and runs again.
func attackTimes(t *testing.T, a *assault) {
	for _, start := range sample(a, edgeTimes) {
		dir := t.TempDir()
		a.judge(t, "times at the edges", "--start-time "+start, twoLives(dir, nil, "--clock", "manual", "--start-time", start))
	}
	for _, mode := range []string{"auto", "manual", "realtime"} {
		dir := t.TempDir()
		wrong := twoLives(dir, func(s *server) string {
			run(s, longTimes, "kubectl", "create", "-f", "-") // what is refused is fine
			for _, args := range [][]string{
				{"advance", "2540400h"}, {"advance", "99999999h"}, {"until", "9999-12-31T23:59:59Z"}, {"until", "1969-01-01T00:00:00Z"}, {"advance", "-1h"}, {"next"},
			} {
				run(s, "", "kubesim", append([]string{"clock"}, args...)...)
			}
			return run(s, "", "kubectl", "get", "jobs")
		}, "--clock", mode, "--start-time", "2261-06-01T00:00:00Z")
		a.judge(t, "times at the edges", "long times in mode "+mode, wrong)
	}
}

// run runs a command against a server and says how it failed; nothing for well.
func run(s *server, stdin, command string, args ...string) string {
	cmd := exec.Command(command, args...)
	cmd.Env, cmd.Stdin = append(os.Environ(), "KUBECONFIG="+s.kubeconfig), strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Sprintf("%s %v: %v: %s", command, args, err, out)
	}
	return ""
}

// twoLives starts a server, lets do have it, ends it, and does all that once more with the
// same directory. It says what was wrong.
func twoLives(dir string, do func(*server) string, args ...string) string {
	env := append(os.Environ(), "HOME="+dir, "TMPDIR="+dir)
	for life := range 2 {
		s, err := startServer(dir, env, append([]string{"--data-dir", "cluster"}, args...)...)
		if err != nil && life == 0 && refusesTime.MatchString(err.Error()) {
			return ""
		}
		if err != nil {
			return fmt.Sprintf("life %d: %v", life+1, err)
		}
		if do != nil {
			if wrong := do(s); wrong != "" {
				s.kill()
				return fmt.Sprintf("life %d: %s", life+1, wrong)
			}
		}
		if err := s.stop(); err != nil {
			return fmt.Sprintf("life %d: %v", life+1, err)
		}
	}
	return ""
}
