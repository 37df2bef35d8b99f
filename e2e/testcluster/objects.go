package testcluster

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
)

// fieldManager owns what Apply sets.
const fieldManager = "testcluster"

// Apply applies manifests, YAML or JSON, one after the other, as `kubectl apply
// --server-side --force-conflicts` does. Manifests with a generateName are created. A
// field that does not exist fails the test.
func (c *Cluster) Apply(manifests string) {
	c.t.Helper()
	objects, err := parse(manifests)
	c.must(err)
	for i, object := range objects {
		if err := c.apply(object); err != nil {
			c.t.Fatalf("object %d of %d, %s %q: %v", i+1, len(objects), object.GetKind(), cmp.Or(object.GetName(), object.GetGenerateName()), err)
		}
	}
}

// Script creates a PodScript, or changes the one with that name. It says what
// containers do from their next attempt on.
func (c *Cluster) Script(script *PodScript) {
	c.t.Helper()
	c.say("PodScript", script)
}

// Fault makes requests or nodes fail as fault says, from now on, until lift is called.
func (c *Cluster) Fault(fault *Fault) (lift func()) {
	c.t.Helper()
	c.say("Fault", fault)
	return func() {
		c.t.Helper()
		faults := c.dynamic.Resource(v1alpha1.GroupVersion().WithResource("faults"))
		c.must(faults.Delete(context.Background(), fault.Name, metav1.DeleteOptions{}))
	}
}

// say applies an object of kubesim's own group.
func (c *Cluster) say(kind string, object metav1.Object) {
	c.t.Helper()
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	c.must(err)
	delete(fields, "status")
	u := &unstructured.Unstructured{Object: fields}
	u.SetGroupVersionKind(v1alpha1.GroupVersion().WithKind(kind))
	if err := c.apply(u); err != nil {
		c.t.Fatalf("%s %q: %v", kind, object.GetName(), err)
	}
}

// Events returns the Events about an object, in the order in which they last happened.
func (c *Cluster) Events(about metav1.Object) []corev1.Event {
	c.t.Helper()
	list, err := c.client.CoreV1().Events(about.GetNamespace()).List(context.Background(), metav1.ListOptions{
		FieldSelector: "involvedObject.uid=" + string(about.GetUID()),
	})
	c.must(err)
	slices.SortStableFunc(list.Items, func(a, b corev1.Event) int {
		return cmp.Or(a.LastTimestamp.Compare(b.LastTimestamp.Time), cmp.Compare(len(a.ResourceVersion), len(b.ResourceVersion)),
			strings.Compare(a.ResourceVersion, b.ResourceVersion))
	})
	return list.Items
}

// Log returns what a container has printed, as kubectl logs shows it. An empty name
// means the only container.
func (c *Cluster) Log(pod *corev1.Pod, container string) string {
	c.t.Helper()
	log, err := c.client.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{Container: container}).DoRaw(context.Background())
	c.must(err)
	return string(log)
}

// parse reads the objects of manifests, of which there must be one.
func parse(manifests string) ([]*unstructured.Unstructured, error) {
	documents, err := parseAll(manifests)
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for i, document := range documents {
		if len(document.Object) == 0 {
			continue
		}
		if document.GetKind() == "" || document.GetAPIVersion() == "" {
			return nil, fmt.Errorf("document %d of the manifests: apiVersion or kind is missing", i+1)
		}
		objects = append(objects, document)
	}
	if len(objects) == 0 {
		return nil, errors.New("there is no object in the manifests")
	}
	return objects, nil
}

// parseAll reads all documents of manifests, also those that are empty or no objects.
func parseAll(manifests string) ([]*unstructured.Unstructured, error) {
	var documents []*unstructured.Unstructured
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewBufferString(manifests), len(manifests))
	for {
		fields := map[string]any{}
		err := decoder.Decode(&fields)
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			return nil, fmt.Errorf("document %d of the manifests: %w", len(documents)+1, err)
		}
		documents = append(documents, &unstructured.Unstructured{Object: fields})
	}
}

func (c *Cluster) apply(object *unstructured.Unstructured) error {
	mapping, err := c.kinds.find(c, object.GroupVersionKind())
	if err != nil {
		return err
	}
	var resource dynamic.ResourceInterface = c.dynamic.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		resource = c.dynamic.Resource(mapping.Resource).Namespace(cmp.Or(object.GetNamespace(), metav1.NamespaceDefault))
	}
	ctx := context.Background()
	if object.GetName() == "" {
		_, err = resource.Create(ctx, object, metav1.CreateOptions{FieldManager: fieldManager, FieldValidation: metav1.FieldValidationStrict})
		return err
	}
	data, err := object.MarshalJSON()
	if err != nil {
		return err
	}
	force := true
	_, err = resource.Patch(ctx, object.GetName(), types.ApplyYAMLPatchType, data, metav1.PatchOptions{
		FieldManager: fieldManager, Force: &force, FieldValidation: metav1.FieldValidationStrict,
	})
	return err
}

// kinds has the resources of kinds. The API server is asked for them when they are
// first needed, and again for a kind that it did not serve then: it may be that of a
// CustomResourceDefinition.
type kinds struct {
	mu     sync.Mutex
	mapper meta.RESTMapper
}

func (k *kinds) find(c *Cluster, kind schema.GroupVersionKind) (*meta.RESTMapping, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.mapper != nil {
		if mapping, err := k.mapper.RESTMapping(kind.GroupKind(), kind.Version); err == nil {
			return mapping, nil
		}
	}
	groups, err := restmapper.GetAPIGroupResources(c.client.Discovery())
	if err != nil {
		return nil, err
	}
	k.mapper = restmapper.NewDiscoveryRESTMapper(groups)
	return k.mapper.RESTMapping(kind.GroupKind(), kind.Version)
}
