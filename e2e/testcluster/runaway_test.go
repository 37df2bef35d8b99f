package testcluster

import (
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A condition that repeats forever, because nothing under way can change it: auto mode
// advances the clock only for a few tries. A Job that may fail very often fails 100 times.
const (
	repeatsFor, repeatsRevisions = 2 * time.Hour, 700
	failsFor, failsRevisions     = 24 * time.Hour, 6000
)

// podOf and its like are objects with a Pod's spec.
func podOf(spec string) string {
	return "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: " + spec
}

func rcOf(spec string) string {
	return "apiVersion: v1\nkind: ReplicationController\nmetadata: {name: x}\nspec:\n  replicas: 2\n  selector: {a: b}\n  template:\n    metadata: {labels: {a: b}}\n    spec: " + spec
}

func deploymentOf(spec string) string {
	return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec:\n  replicas: 2\n  selector: {matchLabels: {a: b}}\n  template:\n    metadata: {labels: {a: b}}\n    spec: " + spec
}

func jobOf(fields, spec string) string {
	return "apiVersion: batch/v1\nkind: Job\nmetadata: {name: x}\nspec:\n  " + fields + "\n  template:\n    spec: " + spec
}

func faultOf(spec string) string {
	return "apiVersion: sim.kubesim.dev/v1alpha1\nkind: Fault\nmetadata: {name: f}\nspec: " + spec
}

func jobWith(spec string) string {
	return "apiVersion: batch/v1\nkind: Job\nmetadata: {name: x}\nspec: " + spec
}

// c is a container with a script and more fields.
func c(script, more string) string {
	return `{name: c, image: busybox, command: [sh, -c, "` + script + `"]` + more + "}"
}

const noImage = `apiVersion: sim.kubesim.dev/v1alpha1
kind: PodScript
metadata: {name: s}
spec:
  match: {image: "*"}
  attempts: [{steps: [{pullError: "manifest unknown"}]}]`

const quota = "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: q}\nspec: {hard: {pods: 0}}"

// repeats are manifests, applied one after the other; what is measured is after the last.
func repeats() map[string][]string {
	fails, ok := c("exit 1", ""), c("exit 0", "")
	in := func(policy, containers string) string {
		return "{restartPolicy: " + policy + ", containers: [" + containers + "]}"
	}
	return map[string][]string{
		"a ConfigMap that is not there":     {podOf("{containers: [" + c("sleep 1", ", volumeMounts: [{name: v, mountPath: /v}]") + "], volumes: [{name: v, configMap: {name: none}}]}")},
		"an env that is not there":          {podOf("{containers: [" + c("sleep 1", ", envFrom: [{secretRef: {name: none}}]") + "]}")},
		"a claim that is not there":         {podOf("{containers: [" + c("sleep 1", "") + "], volumes: [{name: v, persistentVolumeClaim: {claimName: none}}]}")},
		"a hostPath of another type":        {podOf("{containers: [" + c("sleep 1", "") + "], volumes: [{name: v, hostPath: {path: /etc/hostname, type: Directory}}]}")},
		"a certificate that nobody signs":   {podOf("{containers: [" + c("sleep 1", "") + "], volumes: [{name: v, projected: {sources: [{podCertificate: {signerName: example.com/none, keyType: ED25519, credentialBundlePath: a}}]}}]}")},
		"Pods that their node refuses":      {rcOf("{nodeName: node-1, containers: [" + c("sleep 1", ", resources: {requests: {cpu: 100}}") + "]}")},
		"Pods that fit nowhere":             {rcOf("{containers: [" + c("sleep 1", ", resources: {requests: {cpu: 100}}") + "]}")},
		"an image that cannot be pulled":    {noImage, podOf("{containers: [" + ok + "]}")},
		"a Job's image, likewise":           {noImage, jobOf("completions: 1", in("Never", ok))},
		"an image name that is none":        {podOf("{containers: [{name: c, image: \"BUSY:BOX:1\"}]}")},
		"a crash loop":                      {podOf("{containers: [" + fails + "]}")},
		"a crash loop of a controller's":    {rcOf("{containers: [" + fails + "]}")},
		"a program that ends well, always":  {rcOf("{containers: [" + ok + "]}")},
		"a command that is not there":       {rcOf("{containers: [{name: c, image: busybox, command: [/none]}]}")},
		"an init container that fails":      {rcOf("{initContainers: [{name: i, image: busybox, command: [\"false\"]}], containers: [" + ok + "]}")},
		"a postStart hook that fails":       {rcOf("{containers: [" + c("sleep 100", ", lifecycle: {postStart: {exec: {command: [\"false\"]}}}") + "]}")},
		"a liveness probe that fails":       {rcOf("{containers: [" + c("sleep 10000", ", livenessProbe: {exec: {command: [\"false\"]}, periodSeconds: 1}") + "]}")},
		"a startup probe that fails":        {rcOf("{containers: [" + c("sleep 10000", ", startupProbe: {exec: {command: [\"false\"]}, periodSeconds: 1, failureThreshold: 1000000000}") + "]}")},
		"a readiness probe that fails":      {rcOf("{containers: [" + c("sleep 10000", ", readinessProbe: {exec: {command: [\"false\"]}, periodSeconds: 1, failureThreshold: 1000000000}") + "]}")},
		"the probe of a Pod that has ended": {podOf("{restartPolicy: Never, containers: [" + c("sleep 100", ", startupProbe: {exec: {command: [\"false\"]}, initialDelaySeconds: 100000}") + "]}")},
		"a program that never waits":        {podOf("{restartPolicy: Never, containers: [" + c("while :; do :; done", "") + "]}")},
		"a Deployment that cannot roll out": {deploymentOf("{containers: [{name: c, image: nginx}]}"), deploymentOf("{containers: [" + fails + "]}")},
		"a Deployment that fits nowhere":    {deploymentOf("{containers: [" + c("sleep 1", ", resources: {requests: {cpu: 100}}") + "]}")},
		"a Deployment's quota":              {quota, deploymentOf("{containers: [" + ok + "]}")},
		"a Deployment's requests that fail": {faultOf("{error: {code: 500}, requests: {users: ['*:deployment-controller']}}"), deploymentOf("{containers: [" + ok + "]}")},
		"a quota":                           {quota, rcOf("{containers: [" + ok + "]}")},
		"a quota of a Job":                  {quota, jobOf("completions: 3", in("Never", ok))},
		"an emptyDir that grows":            {rcOf("{containers: [" + c("dd if=/dev/zero of=/v/f bs=1M count=8; sleep 1000000", ", volumeMounts: [{name: v, mountPath: /v}]") + "], volumes: [{name: v, emptyDir: {sizeLimit: 1Mi}}]}")},
		"a taint that is tolerated for a while": {
			"apiVersion: v1\nkind: Node\nmetadata: {name: node-1}\nspec: {taints: [{key: k, effect: NoExecute}]}", "apiVersion: v1\nkind: Node\nmetadata: {name: node-2}\nspec: {taints: [{key: k, effect: NoExecute}]}",
			rcOf("{tolerations: [{key: k, operator: Exists, effect: NoExecute, tolerationSeconds: 5}], containers: [" + c("sleep 1000000", "") + "]}"),
		},
		"a node that lacks memory":          {faultOf("{pressure: {resource: Memory}, nodes: '*'}"), rcOf("{tolerations: [{operator: Exists}], containers: [" + c("sleep 1000000", "") + "]}")},
		"requests of controllers that fail": {faultOf("{error: {code: 503}, requests: {users: ['system:serviceaccount:kube-system:*'], verbs: [create]}}"), rcOf("{containers: [" + ok + "]}")},
		"a Job's requests, likewise":        {faultOf("{error: {code: 503}, requests: {users: ['*:job-controller'], verbs: [create]}}"), jobOf("completions: 1", in("Never", ok))},
		"conflicts":                         {faultOf("{conflict: {}, requests: {users: ['system:node:*', '*:job-controller'], verbs: [update, patch]}}"), jobOf("completions: 1", in("Never", ok))},
		"a Pod that cannot be bound":        {faultOf("{error: {code: 500}, requests: {resources: ['pods/binding']}}"), podOf("{containers: [" + ok + "]}")},
		"a status that cannot be written":   {faultOf("{error: {code: 500}, requests: {resources: ['pods/status']}}"), podOf("{containers: [" + ok + "]}")},
	}
}

// failures are Jobs without an end of their own.
func failures() map[string][]string {
	fails := c("exit 1", "")
	in := func(policy string) string { return "{restartPolicy: " + policy + ", containers: [" + fails + "]}" }
	return map[string][]string{
		"restarts":                    {jobOf("backoffLimit: 1000000000", in("OnFailure"))},
		"Pods":                        {jobOf("backoffLimit: 1000000000", in("Never"))},
		"Pods side by side":           {jobWith("{backoffLimit: 1000000000, parallelism: 5, completions: 5, template: {spec: " + in("Never") + "}}")},
		"indexes":                     {jobWith("{backoffLimitPerIndex: 1000000000, completionMode: Indexed, completions: 2, parallelism: 2, template: {spec: " + in("Never") + "}}")},
		"ignored failures":            {jobWith("{podFailurePolicy: {rules: [{action: Ignore, onExitCodes: {operator: In, values: [1]}}]}, template: {spec: " + in("Never") + "}}")},
		"an init container":           {jobOf("backoffLimit: 1000000000", "{restartPolicy: OnFailure, initContainers: [{name: i, image: busybox, command: [\"false\"]}], containers: ["+c("exit 0", "")+"]}")},
		"a sidecar":                   {jobOf("backoffLimit: 3", "{restartPolicy: Never, initContainers: [{name: i, image: busybox, restartPolicy: Always, command: [\"false\"]}], containers: [{name: c, image: nginx}]}")},
		"a command":                   {jobOf("backoffLimit: 1000000000", "{restartPolicy: OnFailure, containers: [{name: c, image: busybox, command: [/none]}]}")},
		"a hook":                      {jobOf("backoffLimit: 1000000000", "{restartPolicy: OnFailure, containers: ["+c("sleep 100", ", lifecycle: {postStart: {exec: {command: [\"false\"]}}}")+"]}")},
		"a probe":                     {jobOf("backoffLimit: 1000000000", "{restartPolicy: OnFailure, containers: ["+c("sleep 100000", ", livenessProbe: {exec: {command: [\"false\"]}, periodSeconds: 1}")+"]}")},
		"a deadline of a Pod":         {jobOf("backoffLimit: 1000000000", "{restartPolicy: Never, activeDeadlineSeconds: 3, containers: ["+c("sleep 100000", "")+"]}")},
		"a Job that its node refuses": {jobOf("backoffLimit: 1000000000", "{restartPolicy: Never, nodeName: node-1, containers: ["+c("sleep 1", ", resources: {requests: {cpu: 100}}")+"]}")},
		"a Job without a Pod's end":   {jobOf("podReplacementPolicy: Failed", "{restartPolicy: Never, containers: ["+c("sleep 10000", "")+", "+strings.Replace(fails, "name: c", "name: d", 1)+"]}")},
		"an emptyDir":                 {jobOf("backoffLimit: 1000000000", "{restartPolicy: Never, containers: ["+c("dd if=/dev/zero of=/v/f bs=1M count=8; sleep 1000000", ", volumeMounts: [{name: v, mountPath: /v}]")+"], volumes: [{name: v, emptyDir: {sizeLimit: 1Mi}}]}")},
	}
}

// TestNothingRunsAway creates each condition in mode auto, and looks how far time went.
func TestNothingRunsAway(t *testing.T) {
	for kind, cases := range map[string]map[string][]string{"repeats": repeats(), "failures": failures()} {
		most, revisions := repeatsFor, repeatsRevisions
		if kind == "failures" {
			most, revisions = failsFor, failsRevisions
		}
		for name, manifests := range cases {
			t.Run(kind+"/"+name, func(t *testing.T) {
				k := Start(t, Config{Mode: Auto})
				for _, m := range manifests[:len(manifests)-1] {
					k.Apply(m)
				}
				before, then := revisionOf(t, k), k.Now()
				k.Apply(manifests[len(manifests)-1])
				moved, wrote := k.Now().Sub(then), revisionOf(t, k)-before
				t.Logf("time moved by %s, %d revisions", moved, wrote)
				if moved > most || wrote > revisions {
					t.Errorf("time moved by %s, in %d revisions, want at most %s and %d", moved, wrote, most, revisions)
				}
			})
		}
	}
}

func revisionOf(t *testing.T, k *Cluster) int {
	t.Helper()
	list, err := k.Client().CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(list.ResourceVersion)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
