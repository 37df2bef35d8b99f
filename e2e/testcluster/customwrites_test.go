package testcluster

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
)

// crane has two versions, of which the first is stored. A size has another default in each.
const crane = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: cranes.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: cranes, kind: Crane}
  versions:
  - name: v1beta1
    served: true
    storage: true
    subresources: &subresources
      scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas, labelSelectorPath: .status.selector}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: &spec
            type: object
            properties: {replicas: {type: integer}, size: {type: integer, default: 1}}
          status: &status
            type: object
            properties: {replicas: {type: integer}, selector: {type: string}}
  - name: v1
    served: true
    storage: false
    subresources: *subresources
    schema: {openAPIV3Schema: {type: object, properties: {spec: *spec, status: *status}}}
`

// cranes create one whose owner is the ConfigMap with its name.
func (c *Cluster) crane(t *testing.T, name string) {
	t.Helper()
	c.Apply(fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}", name))
	owner, err := c.Client().CoreV1().ConfigMaps("default").Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c.Apply(fmt.Sprintf(`
apiVersion: example.com/v1beta1
kind: Crane
metadata:
  name: %s
  ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: %s, uid: %s}]
spec: {replicas: 1}
status: {replicas: 1, selector: crane=%s}
`, name, name, owner.UID, name))
}

// TestControllersWriteCustomResources: the collector, the autoscaler and the deletion of a
// namespace write in the preferred version, whichever version an object is stored in. A
// webhook for another version is asked in its own.
func TestControllersWriteCustomResources(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var asked []string
	o := newOutside(t, answers{"/": func(r *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
		mu.Lock()
		defer mu.Unlock()
		raw := r.Object.Raw
		if r.Operation == admissionv1.Delete {
			raw = r.OldObject.Raw
		}
		var object struct {
			APIVersion string `json:"apiVersion"`
		}
		if err := json.Unmarshal(raw, &object); err != nil {
			t.Error(err)
		}
		if who := strings.TrimPrefix(r.UserInfo.Username, "system:serviceaccount:kube-system:"); who != r.UserInfo.Username {
			asked = append(asked, fmt.Sprintf("%s %s/%s %s as %s for %s, object %s, by %s", r.Operation, r.Resource.Resource, r.SubResource, r.Name,
				r.Resource.Version, r.RequestResource.Version, object.APIVersion, who))
		}
		return allow(r)
	}})
	c := Start(t, Config{Seed: 5, Mode: Auto})
	c.Apply(crane)
	for _, name := range []string{"orphan", "collected", "scaled"} {
		c.crane(t, name)
	}
	c.Apply(strings.NewReplacer("storage: true", "storage: false", "storage: false", "storage: true", "default: 1", "default: 2").Replace(crane))
	hook := validating("cranes.example.com", "cranes", o.client("/"))
	hook.MatchPolicy = ptr.To(admissionregistrationv1.Equivalent)
	hook.Rules = []admissionregistrationv1.RuleWithOperations{{
		Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.OperationAll},
		Rule:       admissionregistrationv1.Rule{APIGroups: []string{"example.com"}, APIVersions: []string{"v1beta1"}, Resources: []string{"cranes", "cranes/*"}},
	}}
	c.validate(t, "cranes", hook)

	maps := c.Client().CoreV1().ConfigMaps("default")
	for name, policy := range map[string]metav1.DeletionPropagation{"orphan": metav1.DeletePropagationOrphan, "collected": metav1.DeletePropagationBackground} {
		if err := maps.Delete(t.Context(), name, metav1.DeleteOptions{PropagationPolicy: &policy}); err != nil {
			t.Fatal(err)
		}
	}
	c.Apply(`
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: scaled}
spec:
  scaleTargetRef: {apiVersion: example.com/v1beta1, kind: Crane, name: scaled}
  minReplicas: 3
  maxReplicas: 5
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}]
`)
	c.Advance(30 * time.Second)
	cranes := c.dynamic.Resource(schema.GroupVersionResource{Group: "example.com", Version: "v1beta1", Resource: "cranes"}).Namespace("default")
	list, err := cranes.List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, one := range list.Items {
		replicas, _, _ := unstructured.NestedInt64(one.Object, "spec", "replicas")
		got[one.GetName()] = fmt.Sprintf("%d owners, %d replicas", len(one.GetOwnerReferences()), replicas)
	}
	if diff := cmp.Diff(map[string]string{"orphan": "0 owners, 1 replicas", "scaled": "1 owners, 3 replicas"}, got); diff != "" {
		t.Errorf("the cranes (-want +got):\n%s", diff)
	}
	mu.Lock()
	defer mu.Unlock()
	want := map[string]bool{
		"UPDATE cranes/ orphan as v1beta1 for v1, object example.com/v1beta1, by generic-garbage-collector":    true,
		"DELETE cranes/ collected as v1beta1 for v1, object example.com/v1beta1, by generic-garbage-collector": true,
		"UPDATE cranes/scale scaled as v1beta1 for v1, object autoscaling/v1, by horizontal-pod-autoscaler":    true,
	}
	all := map[string]bool{}
	for _, question := range asked {
		all[question] = true
	}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("the webhook was asked (-want +got):\n%s", diff)
	}
}

// TestParamsOfAnotherVersion: a policy gets its param in the version that it names.
func TestParamsOfAnotherVersion(t *testing.T) {
	t.Parallel()
	c := Start(t, Config{Seed: 5, Mode: Auto})
	c.Apply(crane)
	c.crane(t, "limit")
	c.Apply(`
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: size}
spec:
  paramKind: {apiVersion: example.com/v1beta1, kind: Crane}
  matchConstraints:
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]
  validations: [{expression: "object.metadata.name != 'x' || params.apiVersion != 'example.com/v1beta1'", messageExpression: "'the param is ' + params.apiVersion"}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: size}
spec: {policyName: size, validationActions: [Deny], paramRef: {name: limit, namespace: default, parameterNotFoundAction: Deny}}
`)
	wantError(t, c.put(t, "x"), `configmaps "x" is forbidden: ValidatingAdmissionPolicy 'size' with binding 'size' denied request: the param is example.com/v1beta1`)
}
