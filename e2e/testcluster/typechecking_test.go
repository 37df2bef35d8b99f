package testcluster

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// typed is a policy for a Deployment, a custom resource and a param, with mistakes.
const typed = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: typed}
spec:
  paramKind: {apiVersion: v1, kind: ConfigMap}
  matchConstraints:
    resourceRules:
    - {apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: [deployments]}
    - {apiGroups: [example.com], apiVersions: [v1], operations: [CREATE], resources: [gadgets]}
  validations:
  - {expression: "object.spec.replicas > 1"}
  - {expression: "object.spec.size > 1 && object.metadata.name == params.data.name"}
  - {expression: "params > 1 && object.spec == 'Deployment1'", messageExpression: "'has ' + object.kind"}
`

// gadget has a spec like a Deployment's, with a size.
const gadget = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: gadgets, singular: gadget, kind: Gadget, listKind: GadgetList}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              replicas: {type: integer}
              size: {type: integer}
              parts:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [name]
                items:
                  type: object
                  required: [name]
                  properties:
                    name: {type: string}
                    color: {type: string, default: red}
`

// TestExpressionsOfPoliciesAreChecked against compiled-in types, custom resources and
// params, in upstream's words, and the same in every run.
func TestExpressionsOfPoliciesAreChecked(t *testing.T) {
	t.Parallel()
	want := []admissionregistrationv1.ExpressionWarning{
		{FieldRef: "spec.validations[1].expression", Warning: `apps/v1, Kind=Deployment: ERROR: <input>:1:12: undefined field 'size'
 | object.spec.size > 1 && object.metadata.name == params.data.name
 | ...........^
`},
		{FieldRef: "spec.validations[2].expression", Warning: `apps/v1, Kind=Deployment: ERROR: <input>:1:8: found no matching overload for '_>_' applied to '(ConfigMap, int)'
 | params > 1 && object.spec == 'Deployment1'
 | .......^
ERROR: <input>:1:27: found no matching overload for '_==_' applied to '(Deployment.spec, string)'
 | params > 1 && object.spec == 'Deployment1'
 | ..........................^

example.com/v1, Kind=Gadget: ERROR: <input>:1:8: found no matching overload for '_>_' applied to '(ConfigMap, int)'
 | params > 1 && object.spec == 'Deployment1'
 | .......^
ERROR: <input>:1:27: found no matching overload for '_==_' applied to '(Gadget.spec, string)'
 | params > 1 && object.spec == 'Deployment1'
 | ..........................^
`},
	}
	var logs [2]string
	for i := range logs {
		c := Start(t, Config{Seed: 5, Mode: Auto})
		c.Apply(gadget)
		c.Apply(typed)
		policies := c.Client().AdmissionregistrationV1().ValidatingAdmissionPolicies()
		policy, err := policies.Get(t.Context(), "typed", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		status := policy.Status
		if status.TypeChecking == nil || status.ObservedGeneration != 1 {
			t.Fatalf("the status is %+v, want one of generation 1 with typeChecking", status)
		}
		if diff := cmp.Diff(want, status.TypeChecking.ExpressionWarnings); diff != "" {
			t.Errorf("warnings (-want +got):\n%s", diff)
		}
		c.Apply(strings.NewReplacer("object.spec.size > 1 && ", "", "params > 1 && object.spec == 'Deployment1'", "object.spec.replicas < 9").Replace(typed))
		if policy, err = policies.Get(t.Context(), "typed", metav1.GetOptions{}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(admissionregistrationv1.ValidatingAdmissionPolicyStatus{ObservedGeneration: 2, TypeChecking: &admissionregistrationv1.TypeChecking{}}, policy.Status); diff != "" {
			t.Errorf("the status of the corrected policy (-want +got):\n%s", diff)
		}
		logs[i] = c.EventLog() + c.Timeline()
	}
	if logs[0] != logs[1] {
		t.Errorf("two runs with one seed differ:\n%s\n%s", logs[0], logs[1])
	}
}
