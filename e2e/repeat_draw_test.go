package e2e

import (
	"fmt"
	"strings"

	"pgregory.net/rapid"
)

// drawScenario draws a file: some Jobs, a CronJob, perhaps a PodScript and Faults, and
// what users do to them in half an hour.
func drawScenario(t *rapid.T) string {
	var b strings.Builder
	clock := rapid.SampledFrom([]string{"manual", "manual", "auto"}).Draw(t, "clock")
	fmt.Fprintf(&b, "apiVersion: sim.kubesim.dev/v1alpha1\nkind: Scenario\nmetadata: {name: random}\nspec:\n  seed: %d\n  nodes: %d\n  for: 30m\n  clock: %s\n",
		rapid.Uint32().Draw(t, "seed"), rapid.IntRange(1, 3).Draw(t, "nodes"), clock)
	jobs := rapid.IntRange(1, 4).Draw(t, "jobs")
	b.WriteString("  steps:\n  - note: users come\n")
	for range rapid.IntRange(0, 8).Draw(t, "steps") {
		fmt.Fprintf(&b, "  - after: %ds\n    %s\n", rapid.IntRange(0, 120).Draw(t, "after"), drawAction(t, jobs))
	}
	for i := range jobs {
		fmt.Fprintf(&b, "---\n%s", drawJob(t, i, clock))
	}
	if rapid.Bool().Draw(t, "CronJob") {
		fmt.Fprintf(&b, "---\n%s", drawCronJob(t, clock))
	}
	if rapid.Bool().Draw(t, "PodScript") {
		fmt.Fprintf(&b, "---\n%s", drawScript(t))
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "Faults") {
		fmt.Fprintf(&b, "---\n%s", drawFault(t, i))
	}
	return b.String()
}

// drawAction draws one that nothing that was drawn before can refuse.
func drawAction(t *rapid.T, jobs int) string {
	job := fmt.Sprintf("job/job-%d", rapid.IntRange(0, jobs-1).Draw(t, "job"))
	return rapid.SampledFrom([]string{
		"suspend: " + job,
		"resume: " + job,
		"patch: " + job + "\n    with: {spec: {parallelism: 1}}",
		"patch: " + job + "\n    with: {spec: {activeDeadlineSeconds: 90}}",
		"cordon: node-1",
		"uncordon: node-1",
		"delete: pods -l job-name=job-0",
		"delete: pods -l job-name=job-0\n    gracePeriodSeconds: 0",
		"request: {method: GET, path: /api/v1/pods}",
		"create: {apiVersion: v1, kind: ConfigMap, metadata: {generateName: random-}}",
	}).Draw(t, "action")
}

// programs are what containers run. In clock mode auto none is endless: time would move
// on for it for hours, before the next step.
func programs(clock string) []string {
	all := []string{
		"exit 0", "exit 1", "sleep 20", "sleep $((RANDOM % 90)); exit $((RANDOM % 3))", "date; hostname; echo $RANDOM; exit 42",
		"for i in $(seq 1 30); do echo line $i; sleep 0.$i; done",
		"awk 'BEGIN { srand(); print rand(), exp(1) / 3 }'; sleep 2",
	}
	if clock == "auto" {
		return all
	}
	return append(all, "trap 'sleep 3; exit 0' TERM; while true; do sleep 7; done")
}

func drawPod(t *rapid.T, clock string) string {
	return fmt.Sprintf("{spec: {restartPolicy: %s, containers: [{name: main, image: busybox, command: [sh, -c, %q]}]}}",
		rapid.SampledFrom([]string{"Never", "OnFailure"}).Draw(t, "restartPolicy"), rapid.SampledFrom(programs(clock)).Draw(t, "program"))
}

func drawJob(t *rapid.T, i int, clock string) string {
	mode := rapid.SampledFrom([]string{
		"", "", "completionMode: Indexed, ", "completionMode: Indexed, backoffLimitPerIndex: 1, ", "completionMode: Indexed, successPolicy: {rules: [{succeededCount: 1}]}, ",
		"ttlSecondsAfterFinished: 60, ", "activeDeadlineSeconds: 100, ", "suspend: true, ", "podReplacementPolicy: Failed, ",
	}).Draw(t, "mode")
	return fmt.Sprintf("apiVersion: batch/v1\nkind: Job\nmetadata: {name: job-%d}\nspec: {completions: %d, parallelism: %d, backoffLimit: %d, %stemplate: %s}\n",
		i, rapid.IntRange(1, 5).Draw(t, "completions"), rapid.IntRange(0, 4).Draw(t, "parallelism"), rapid.IntRange(0, 3).Draw(t, "backoffLimit"), mode, drawPod(t, clock))
}

func drawCronJob(t *rapid.T, clock string) string {
	return fmt.Sprintf("apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: cron}\nspec: {schedule: %q, concurrencyPolicy: %s, jobTemplate: {spec: {backoffLimit: 1, template: %s}}}\n",
		rapid.SampledFrom([]string{"* * * * *", "*/3 * * * *", "@every 47s"}).Draw(t, "schedule"),
		rapid.SampledFrom([]string{"Allow", "Forbid", "Replace"}).Draw(t, "concurrencyPolicy"), drawPod(t, clock))
}

func drawScript(t *rapid.T) string {
	last := rapid.SampledFrom([]string{"exit: 0", "exit: 3", "oom: {}", "evict: {}", "hang: {}", "signal: SIGSEGV"}).Draw(t, "step")
	return fmt.Sprintf("apiVersion: sim.kubesim.dev/v1alpha1\nkind: PodScript\nmetadata: {name: script}\n"+
		"spec: {match: {owner: {kind: Job, name: job-0}}, attempts: [{steps: [{pull: 4s}, {log: begun}, {wait: 13s}, {%s, percent: 60}]}, {steps: [{wait: 5s}]}]}\n", last)
}

func drawFault(t *rapid.T, i int) string {
	what := rapid.SampledFrom([]string{
		"error: {code: 503}, requests: {resources: [pods*]}", "conflict: {}", "latency: 1500ms", "dropWatch: {}",
		"notReady: {}, nodes: node-1", "reboot: {}, nodes: '*'", "drain: {}, nodes: node-1", "pressure: {resource: Memory}, nodes: '*'",
	}).Draw(t, "fault")
	users := ""
	if !strings.Contains(what, "nodes:") && !strings.Contains(what, "requests:") {
		users = ", requests: {users: ['system:*']}" // a step of the scenario itself shall not fail
	}
	return fmt.Sprintf("apiVersion: sim.kubesim.dev/v1alpha1\nkind: Fault\nmetadata: {name: fault-%d}\nspec: {%s%s, percent: %d, after: %ds, duration: 2m}\n",
		i, what, users, rapid.IntRange(10, 90).Draw(t, "percent"), rapid.IntRange(0, 300).Draw(t, "after"))
}
