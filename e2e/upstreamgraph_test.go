package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// graphKind is a kind that the graphs are made of.
type graphKind struct {
	schema.GroupVersionResource
	kind       string
	namespaced bool
}

func graphKinds() []graphKind {
	return []graphKind{
		{schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, "ConfigMap", true},
		{schema.GroupVersionResource{Version: "v1", Resource: "secrets"}, "Secret", true},
		{schema.GroupVersionResource{Version: "v1", Resource: "pods"}, "Pod", true},
		{schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"}, "ClusterRole", false},
	}
}

// graphObject is one object of a graph.
type graphObject struct {
	graphKind
	namespace, name string
}

func (o graphObject) String() string { return o.kind + " " + o.namespace + "/" + o.name }

// graphs is a cluster with graphs.
type graphs struct {
	config *rest.Config
	client dynamic.Interface
}

const graphNamespace, otherNamespace = "default", "kube-public"

func newGraphs(t *testing.T, config *rest.Config) *graphs {
	t.Helper()
	return &graphs{config: config, client: dynamic.NewForConfigOrDie(config)}
}

func (g *graphs) resource(o graphObject) dynamic.ResourceInterface {
	if !o.namespaced {
		return g.client.Resource(o.GroupVersionResource)
	}
	return g.client.Resource(o.GroupVersionResource).Namespace(o.namespace)
}

// graphStep is one request.
type graphStep struct {
	text string
	// deletes: it is left out in a graph with an object that ends but for the
	// finalizer hold. Upstream's memory keeps for good that it was deleted in the
	// foreground, and takes it for part of a circle.
	deletes bool
	do      func(*testing.T, *graphs)
}

// graphRef is a reference as it is written down before anybody has a UID.
type graphRef struct {
	to graphObject
	// wrong is what is wrong with it: "uid", "name", "kind", "version", or nothing.
	wrong  string
	blocks bool
}

func (r graphRef) String() string {
	text := r.to.String()
	if r.wrong != "" {
		text += " by a wrong " + r.wrong
	}
	if r.blocks {
		text += ", which it blocks"
	}
	return text
}

// references makes an object's owner references, with the UIDs of this cluster. An owner
// that is gone has a UID that no other reference has.
func (g *graphs) references(t *testing.T, from graphObject, refs []graphRef) []metav1.OwnerReference {
	t.Helper()
	var out []metav1.OwnerReference
	for _, ref := range refs {
		apiVersion, kind := ref.to.GroupVersion().WithKind(ref.to.kind).ToAPIVersionAndKind()
		o := metav1.OwnerReference{APIVersion: apiVersion, Kind: kind, Name: ref.to.name, UID: types.UID("gone-" + from.name + ref.to.name), BlockOwnerDeletion: &ref.blocks}
		owner, err := g.resource(ref.to).Get(t.Context(), ref.to.name, metav1.GetOptions{})
		switch {
		case err == nil:
			o.UID = owner.GetUID()
		case !apierrors.IsNotFound(err):
			t.Fatal(err)
		}
		switch ref.wrong {
		case "uid":
			o.UID = types.UID("wrong-" + from.name + ref.to.name)
		case "name":
			o.Name = "wrong-" + ref.to.name
		case "kind":
			o.APIVersion, o.Kind = "example.com/v1", "Widget"
		case "version":
			o.APIVersion = "v7"
		}
		out = append(out, o)
	}
	return out
}

// randomGraph makes up the life of a graph: its objects are made one after the
// other, then things happen to them.
func randomGraph(r *rand.Rand, i int) []graphStep {
	var objects []graphObject
	var steps []graphStep
	kinds := graphKinds()
	for k := range 2 + r.Intn(4) {
		o := graphObject{kinds[r.Intn(len(kinds))], graphNamespace, fmt.Sprintf("graph-%d-%d", i, k)}
		switch {
		case !o.namespaced:
			o.namespace = ""
		case r.Intn(10) == 0:
			o.namespace = otherNamespace
		}
		steps = append(steps, createStep(o, randomRefs(r, objects), r.Intn(5) == 0))
		objects = append(objects, o)
	}
	if r.Intn(3) == 0 { // a circle
		steps = append(steps, referStep(objects[0], []graphRef{{to: objects[len(objects)-1], blocks: true}}))
	}
	for range 1 + r.Intn(3) {
		o := objects[r.Intn(len(objects))]
		switch r.Intn(6) {
		case 0:
			steps = append(steps, referStep(o, randomRefs(r, objects)))
		case 1:
			steps = append(steps, letGoStep(o))
		default:
			policies := []metav1.DeletionPropagation{metav1.DeletePropagationBackground, metav1.DeletePropagationForeground, metav1.DeletePropagationOrphan}
			steps = append(steps, deleteStep(o, policies[r.Intn(len(policies))]))
		}
	}
	return steps
}

func randomRefs(r *rand.Rand, owners []graphObject) []graphRef {
	var refs []graphRef
	for _, k := range r.Perm(len(owners)) {
		if len(refs) == 3 || r.Intn(3) == 0 {
			break
		}
		ref := graphRef{to: owners[k], blocks: r.Intn(2) == 0}
		if r.Intn(6) == 0 {
			ref.wrong = []string{"uid", "name", "kind", "version"}[r.Intn(4)]
		}
		refs = append(refs, ref)
	}
	return refs
}

// hold is a finalizer that nobody minds but the test.
const hold = "example.com/hold"

func createStep(o graphObject, refs []graphRef, held bool) graphStep {
	return graphStep{fmt.Sprintf("create %s of %v, held %t", o, refs, held), false, func(t *testing.T, g *graphs) {
		obj := &unstructured.Unstructured{Object: map[string]any{}}
		obj.SetGroupVersionKind(o.GroupVersion().WithKind(o.kind))
		obj.SetName(o.name)
		obj.SetOwnerReferences(g.references(t, o, refs))
		if held {
			obj.SetFinalizers([]string{hold})
		}
		if o.kind == "Pod" {
			obj.Object["spec"] = map[string]any{"containers": []any{map[string]any{"name": "c", "image": "busybox"}}}
		}
		if _, err := g.resource(o).Create(t.Context(), obj, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}}
}

func referStep(o graphObject, refs []graphRef) graphStep {
	return graphStep{fmt.Sprintf("give %s to %v", o, refs), false, func(t *testing.T, g *graphs) {
		g.patch(t, o, map[string]any{"ownerReferences": g.references(t, o, refs)})
	}}
}

func letGoStep(o graphObject) graphStep {
	return graphStep{fmt.Sprintf("let %s go", o), false, func(t *testing.T, g *graphs) {
		obj, err := g.resource(o).Get(t.Context(), o.name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		var left []string
		for _, f := range obj.GetFinalizers() {
			if f != hold {
				left = append(left, f)
			}
		}
		g.patch(t, o, map[string]any{"finalizers": left})
	}}
}

func (g *graphs) patch(t *testing.T, o graphObject, metadata map[string]any) {
	t.Helper()
	patch, err := json.Marshal(map[string]any{"metadata": metadata})
	if err != nil {
		t.Fatal(err)
	}
	_, err = g.resource(o).Patch(t.Context(), o.name, types.MergePatchType, patch, metav1.PatchOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
}

func deleteStep(o graphObject, policy metav1.DeletionPropagation) graphStep {
	return graphStep{fmt.Sprintf("delete %s, %s", o, policy), true, func(t *testing.T, g *graphs) {
		err := g.resource(o).Delete(t.Context(), o.name, metav1.DeleteOptions{PropagationPolicy: &policy})
		if err != nil && !apierrors.IsNotFound(err) {
			t.Fatal(err)
		}
	}}
}
