package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/ptr"
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
	definitions := customClient(t, s, "apiextensions.k8s.io", "customresourcedefinitions")
	gadgets := customClient(t, s, "example.com", "gadgets").Namespace("default")
	createCustom(t, definitions, gadgetDefinition)
	owner := createCustom(t, gadgets, `{apiVersion: example.com/v1, kind: Gadget, metadata: {generateName: owner-}}`)
	createCustom(t, gadgets, `{apiVersion: example.com/v1, kind: Gadget, metadata: {generateName: owned-, ownerReferences: [{apiVersion: example.com/v1, kind: Gadget, name: `+
		owner.GetName()+`, uid: `+string(owner.GetUID())+`}]}}`)
	createCustom(t, gadgets, `{apiVersion: example.com/v1, kind: Gadget, metadata: {generateName: other-}}`)
	if err := gadgets.Delete(t.Context(), owner.GetName(), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	awaitBookmark(t, gadgets, 1)
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

// awaitBookmark watches, and gets so many gadgets and then a bookmark of their kind.
func awaitBookmark(t *testing.T, gadgets dynamic.ResourceInterface, want int) {
	t.Helper()
	w, err := gadgets.Watch(t.Context(), metav1.ListOptions{
		SendInitialEvents: ptr.To(true), ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan, AllowWatchBookmarks: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	for n := 0; ; n++ {
		ev := <-w.ResultChan()
		obj, ok := ev.Object.(*unstructured.Unstructured)
		if !ok {
			t.Fatalf("after %d gadgets the watch says %v", n, ev)
		}
		if ev.Type == watch.Added && n < want {
			continue
		}
		if ev.Type != watch.Bookmark || n != want || obj.GetKind() != "Gadget" || obj.GetAnnotations()[metav1.InitialEventsAnnotationKey] != "true" {
			t.Fatalf("after %d gadgets the watch says %v", n, ev)
		}
		return
	}
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

// TestServersShareCustomResources in etcd: each follows the definitions by itself, also
// when they change and go, and one that comes later finds definitions and objects.
func TestServersShareCustomResources(t *testing.T) {
	t.Parallel()
	etcd := newEtcd(t)
	first, second := etcd.serve(t, "--nodes", "0"), etcd.serve(t, "--nodes", "0")
	definitions := customClient(t, first, "apiextensions.k8s.io", "customresourcedefinitions")
	createCustom(t, definitions, gadgetDefinition)
	there := customClient(t, second, "example.com", "gadgets").Namespace("default")
	eventually(t, func() error { return defaulted(t, there, 3) })
	if _, err := definitions.Patch(t.Context(), "gadgets.example.com", types.JSONPatchType,
		[]byte(`[{"op":"replace","path":"/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/size/default","value":4}]`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error { return defaulted(t, there, 4) })
	third := etcd.serve(t, "--nodes", "0")
	here := customClient(t, third, "example.com", "gadgets").Namespace("default")
	eventually(t, func() error {
		list, err := here.List(t.Context(), metav1.ListOptions{})
		if err == nil && len(list.Items) < 2 {
			err = fmt.Errorf("%d gadgets, want two or more", len(list.Items))
		}
		return err
	})
	if err := customClient(t, third, "apiextensions.k8s.io", "customresourcedefinitions").Delete(t.Context(), "gadgets.example.com", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		if _, err := there.List(t.Context(), metav1.ListOptions{}); !apierrors.IsNotFound(err) {
			return fmt.Errorf("gadgets are still served: %w", err)
		}
		return nil
	})
}

// defaulted creates a gadget, and returns an error unless it gets that size.
func defaulted(t *testing.T, gadgets dynamic.ResourceInterface, size int64) error {
	t.Helper()
	obj := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "example.com/v1", "kind": "Gadget", "metadata": map[string]any{"generateName": "gadget-"}, "spec": map[string]any{},
	}}
	out, err := gadgets.Create(t.Context(), obj, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	if got, _, err := unstructured.NestedInt64(out.Object, "spec", "size"); err != nil || got != size {
		return fmt.Errorf("a gadget's size is %d, %w; want %d", got, err, size)
	}
	return nil
}

func customClient(t *testing.T, s *server, group, resource string) dynamic.NamespaceableResourceInterface {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", s.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client.Resource(schema.GroupVersionResource{Group: group, Version: "v1", Resource: resource})
}
