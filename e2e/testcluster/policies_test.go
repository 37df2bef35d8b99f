package testcluster

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
)

// limited is a policy whose param says how many entries a ConfigMap may have.
const limited = `
apiVersion: v1
kind: ConfigMap
metadata: {name: limit}
data: {max: "1"}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: small}
spec:
  paramKind: {apiVersion: v1, kind: ConfigMap}
  matchConstraints:
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]
  variables: [{name: max, expression: "int(params.data.max)"}]
  validations:
  - expression: "!has(object.data) || size(object.data) <= variables.max"
    messageExpression: "'at most ' + params.data.max + ' entries'"
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: small}
spec:
  policyName: small
  validationActions: [Deny]
  paramRef: {name: limit, namespace: default, parameterNotFoundAction: Deny}
`

// fill creates a ConfigMap with two entries, in a dry run.
func (c *Cluster) fill(t *testing.T, client kubernetes.Interface) error {
	t.Helper()
	two := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "two"}, Data: map[string]string{"a": "1", "b": "2"}}
	_, err := client.CoreV1().ConfigMaps("default").Create(t.Context(), two, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	return err
}

// TestAPolicyHasAnEffectOnTheNextRequest: the policy, its param and its binding.
func TestAPolicyHasAnEffectOnTheNextRequest(t *testing.T) {
	t.Parallel()
	c := Start(t, Config{Seed: 5, Mode: Auto})
	if err := c.fill(t, c.Client()); err != nil {
		t.Fatal(err)
	}
	c.Apply(limited)
	const denied = `configmaps "two" is forbidden: ValidatingAdmissionPolicy 'small' with binding 'small' denied request: `
	wantError(t, c.fill(t, c.Client()), denied+"at most 1 entries")

	maps := c.Client().CoreV1().ConfigMaps("default")
	if _, err := maps.Patch(t.Context(), "limit", "application/merge-patch+json", []byte(`{"data":{"max":"2"}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := c.fill(t, c.Client()); err != nil {
		t.Errorf("the limit is 2, but: %v", err)
	}
	if err := maps.Delete(t.Context(), "limit", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	wantError(t, c.fill(t, c.Client()), denied+"failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction")

	policies := c.Client().AdmissionregistrationV1().ValidatingAdmissionPolicies()
	if _, err := policies.Patch(t.Context(), "small", "application/merge-patch+json", []byte(`{"spec":{"paramKind":{"apiVersion":"example.com/v1","kind":"Limit"}}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	wantError(t, c.fill(t, c.Client()), `configmaps "two" is forbidden: ValidatingAdmissionPolicy 'small' denied request: failed to configure policy: failed to find resource referenced by paramKind: 'example.com/v1, Kind=Limit'`)
	if err := c.Client().AdmissionregistrationV1().ValidatingAdmissionPolicyBindings().Delete(t.Context(), "small", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := c.fill(t, c.Client()); err != nil {
		t.Errorf("nothing binds the policy, but: %v", err)
	}
}

// ruled is a policy that no ConfigMap meets, with two bindings.
const ruled = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: NAME}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]
  validations: [{expression: "false", message: NAME says no}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: z-NAME}
spec: {policyName: NAME, validationActions: [ACTION]}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: a-NAME}
spec: {policyName: NAME, validationActions: [ACTION]}
`

// TestTheFirstPolicyByNameAnswers, however many there are.
func TestTheFirstPolicyByNameAnswers(t *testing.T) {
	t.Parallel()
	c := Start(t, Config{Seed: 5, Mode: Auto})
	for _, name := range []string{"p5", "p3", "p1", "p2", "p4"} {
		c.Apply(strings.NewReplacer("NAME", name, "ACTION", "Deny").Replace(ruled))
	}
	for range 10 {
		wantError(t, c.fill(t, c.Client()), `configmaps "two" is forbidden: ValidatingAdmissionPolicy 'p1' with binding 'a-p1' denied request: p1 says no`)
	}
}

func TestAPolicyWarns(t *testing.T) {
	t.Parallel()
	c := Start(t, Config{Seed: 5, Mode: Auto})
	c.Apply(strings.NewReplacer("NAME", "w", "ACTION", "Warn").Replace(ruled) + "---" + strings.NewReplacer("NAME", "audit", "ACTION", "Audit").Replace(ruled))
	var heard warnings
	config := c.RESTConfig()
	config.WarningHandler = &heard
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.fill(t, client); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(heard, "\n"), "Validation failed for ValidatingAdmissionPolicy 'w' with binding 'a-w': w says no\n"+
		"Validation failed for ValidatingAdmissionPolicy 'w' with binding 'z-w': w says no"; got != want {
		t.Errorf("the warnings are\n%s, want\n%s", got, want)
	}
}

// sidecars are two policies that change Pods.
const sidecars = `
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: sidecar}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
  failurePolicy: Fail
  reinvocationPolicy: IfNeeded
  matchConditions: [{name: none, expression: "!has(object.spec.initContainers) || !object.spec.initContainers.exists(c, c.name == 'mesh')"}]
  mutations:
  - patchType: ApplyConfiguration
    applyConfiguration:
      expression: >
        Object{spec: Object.spec{initContainers: [Object.spec.initContainers{name: "mesh", image: "nginx", restartPolicy: "Always"}]}}
  - patchType: JSONPatch
    jsonPatch: {expression: '[JSONPatch{op: "add", path: "/metadata/labels/meshed", value: "yes"}]'}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: sidecar}
spec: {policyName: sidecar}
`

// TestPoliciesChangeWhatControllersWrite beside PodSecurity, and two runs are the same.
func TestPoliciesChangeWhatControllersWrite(t *testing.T) {
	t.Parallel()
	var logs [2]string
	for i := range logs {
		c := Start(t, Config{Seed: 5, Mode: Auto})
		c.Apply(limited + "---" + sidecars + "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: default, labels: {pod-security.kubernetes.io/enforce: baseline, pod-security.kubernetes.io/warn: restricted}}\n")
		c.Apply(retried)
		if err := ended(t, c, "retried", batchv1.JobFailed)(); err != nil {
			t.Error(err)
		}
		pods, err := c.Client().CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{LabelSelector: "meshed=yes"})
		if err != nil || len(pods.Items) != 3 {
			t.Fatalf("%d Pods have the policy's label (%v), want 3", len(pods.Items), err)
		}
		for _, pod := range pods.Items {
			if inner := pod.Spec.InitContainers; len(inner) != 1 || inner[0].Name != "mesh" || inner[0].TerminationMessagePath == "" {
				t.Errorf("Pod %s has the init containers %v, want mesh, with its defaults", pod.Name, inner)
			}
		}
		wantError(t, c.fill(t, c.Client()), `configmaps "two" is forbidden: ValidatingAdmissionPolicy 'small' with binding 'small' denied request: at most 1 entries`)
		logs[i] = c.EventLog() + c.Timeline()
	}
	if logs[0] != logs[1] {
		t.Errorf("two runs with one seed differ:\n%s\n%s", logs[0], logs[1])
	}
}

// painters are two policies that change custom resources.
const painters = `
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: painter}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [example.com], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [gadgets]}]
  failurePolicy: Fail
  reinvocationPolicy: Never
  mutations:
  - patchType: ApplyConfiguration
    applyConfiguration:
      expression: >
        Object{spec: Object.spec{size: object.spec.replicas * 2, parts: [Object.spec.parts{name: "b", color: "blue"}]}}
  - patchType: JSONPatch
    jsonPatch: {expression: '[JSONPatch{op: "add", path: "/metadata/labels", value: {"painted": "yes"}}]'}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: painter}
spec: {policyName: painter}
`

// TestAPolicyChangesCustomResources by their schema, as it is now: a list of the type map
// is merged by its keys, defaults are set, and a new field can be written at once.
func TestAPolicyChangesCustomResources(t *testing.T) {
	t.Parallel()
	c := Start(t, Config{Seed: 5, Mode: Auto})
	c.Apply(gadget)
	c.Apply(painters)
	gadgets := c.dynamic.Resource(schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "gadgets"}).Namespace("default")
	spec := func(name string) map[string]any {
		t.Helper()
		obj := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "example.com/v1", "kind": "Gadget", "metadata": map[string]any{"name": name},
			"spec": map[string]any{"replicas": int64(3), "parts": []any{map[string]any{"name": "a"}, map[string]any{"name": "b", "color": "green"}}},
		}}
		got, err := gadgets.Create(t.Context(), obj, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got.GetLabels()["painted"] != "yes" {
			t.Errorf("%s has the labels %v, want the policy's", name, got.GetLabels())
		}
		return got.Object["spec"].(map[string]any)
	}
	want := map[string]any{"replicas": int64(3), "size": int64(6), "parts": []any{
		map[string]any{"name": "a", "color": "red"}, map[string]any{"name": "b", "color": "blue"},
	}}
	if diff := cmp.Diff(want, spec("one")); diff != "" {
		t.Errorf("the spec of a gadget (-want +got):\n%s", diff)
	}

	c.Apply(strings.Replace(gadget, "size: {type: integer}", "size: {type: integer}\n              shape: {type: string}", 1))
	c.Apply(strings.Replace(painters, "Object.spec{", `Object.spec{shape: "round", `, 1))
	want["shape"] = "round"
	if diff := cmp.Diff(want, spec("two")); diff != "" {
		t.Errorf("the spec of a gadget whose schema has changed (-want +got):\n%s", diff)
	}
	c.Apply(strings.Replace(painters, "Object.spec{", `Object.spec{colour: "red", `, 1))
	_, err := gadgets.Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "example.com/v1", "kind": "Gadget", "metadata": map[string]any{"name": "three"}, "spec": map[string]any{"replicas": int64(1)},
	}}, metav1.CreateOptions{})
	wantError(t, err, `policy 'painter' with binding 'painter' denied request: error applying patch: failed to convert patch object to typed object: .spec.colour: field not declared in schema`)
}
