package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"
)

// gadgetDefinition is for TestCustomResourcesAreTheSame.
const gadgetDefinition = `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: gadgets.example.com},
  spec: {group: example.com, scope: Namespaced, names: {plural: gadgets, kind: Gadget}, versions: [{name: v1, served: true, storage: true,
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer, default: 3}}}}}}}]}}`

// TestCustomResourcesAreTheSame in every run: their definition is established, they get
// names and UIDs, an owner takes one along, and the definition goes with the others.
func TestCustomResourcesAreTheSame(t *testing.T) {
	t.Parallel()
	first := simulateGadgets(t)
	for _, line := range []string{
		" customresourcedefinition/gadgets.example.com serves gadgets.example.com\n",
		" customresourcedefinition/gadgets.example.com withdraws gadgets.example.com\n",
	} {
		if !strings.Contains(first.events, line) {
			t.Errorf("the event log lacks %q:\n%s", line, first.events)
		}
	}
	for range 2 {
		again := simulateGadgets(t)
		same(t, "event log", first.events, again.events)
		same(t, "objects", first.objects, again.objects)
	}
}

func simulateGadgets(t *testing.T) outcome {
	t.Helper()
	eventLog := filepath.Join(t.TempDir(), "events")
	s := newServer(t, "--ephemeral", "--clock", "manual", "--nodes", "0", "--start-time", "2026-01-01T00:00:00Z", "--seed", "7", "--event-log", eventLog)
	config, err := clientcmd.BuildConfigFromFlags("", s.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	definitions := client.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	gadgets := client.Resource(schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "gadgets"}).Namespace("default")
	createCustom(t, definitions, gadgetDefinition)
	owner := createCustom(t, gadgets, `{apiVersion: example.com/v1, kind: Gadget, metadata: {generateName: owner-}}`)
	createCustom(t, gadgets, `{apiVersion: example.com/v1, kind: Gadget, metadata: {generateName: owned-, ownerReferences: [{apiVersion: example.com/v1, kind: Gadget, name: `+
		owner.GetName()+`, uid: `+string(owner.GetUID())+`}]}}`)
	createCustom(t, gadgets, `{apiVersion: example.com/v1, kind: Gadget, metadata: {generateName: other-}}`)
	if err := gadgets.Delete(t.Context(), owner.GetName(), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	o := outcome{objects: dumpObjects(t, s)}
	if n := strings.Count("\n"+o.objects, "\ngadgets "); n != 1 {
		t.Errorf("%d gadgets are left, want 1", n)
	}
	if err := definitions.Delete(t.Context(), "gadgets.example.com", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	events, err := os.ReadFile(eventLog)
	if err != nil {
		t.Fatal(err)
	}
	o.events = string(events)
	return o
}

// createCustom creates an object that is written in YAML.
func createCustom(t *testing.T, to dynamic.ResourceInterface, text string) *unstructured.Unstructured {
	t.Helper()
	obj := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &obj.Object); err != nil {
		t.Fatal(err)
	}
	out, err := to.Create(t.Context(), obj, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
