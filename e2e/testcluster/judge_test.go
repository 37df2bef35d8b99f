package testcluster

import (
	"context"
	"testing"

	apiextensionshelpers "k8s.io/apiextensions-apiserver/pkg/apihelpers"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	structuraldefaulting "k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	structuralpruning "k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	"k8s.io/apiextensions-apiserver/pkg/registry/customresource"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	genericrequest "k8s.io/apiserver/pkg/endpoints/request"
)

// judge says what upstream's strategy says of an object: from the whole definition, and
// without a server.
type judge struct {
	definitions []apiextensionsv1.CustomResourceDefinition
	kinds       map[schema.GroupKind]bool
}

// newJudge knows the definitions of a cluster.
func newJudge(t *testing.T, c *Cluster) *judge {
	t.Helper()
	list, err := clientset.NewForConfigOrDie(c.RESTConfig()).ApiextensionsV1().CustomResourceDefinitions().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	j := &judge{definitions: list.Items, kinds: map[schema.GroupKind]bool{}}
	for i := range list.Items {
		j.kinds[schema.GroupKind{Group: list.Items[i].Spec.Group, Kind: list.Items[i].Spec.Names.Kind}] = true
	}
	return j
}

func (j *judge) parse(t *testing.T, manifest string) *unstructured.Unstructured {
	t.Helper()
	objects, err := parseAll(manifest)
	if err != nil || len(objects) != 1 {
		t.Fatalf("%s: %v", manifest, err)
	}
	return objects[0]
}

// refused fails unless got is the error that upstream's strategy has for an object.
func (j *judge) refused(t *testing.T, where string, object *unstructured.Unstructured, got error) {
	t.Helper()
	sent := &unstructured.Unstructured{} // with numbers as a client's JSON has them
	data, err := object.MarshalJSON()
	if err == nil {
		err = sent.UnmarshalJSON(data)
	}
	if err != nil {
		t.Fatal(err)
	}
	want := j.verdict(t, sent)
	if want == nil {
		t.Errorf("%s: upstream's strategy accepts it", where)
		return
	}
	if got == nil || got.Error() != want.Error() {
		t.Errorf("%s\nis answered with: %v\nwant: %v", where, got, want)
	}
}

// verdict is what handling and strategy of a creation say. Source: the crdHandler and
// customResourceStrategy of k8s.io/apiextensions-apiserver v0.37.2.
func (j *judge) verdict(t *testing.T, object *unstructured.Unstructured) error {
	t.Helper()
	kind := object.GroupVersionKind()
	for i := range j.definitions {
		crd := &j.definitions[i]
		if crd.Spec.Group != kind.Group || crd.Spec.Names.Kind != kind.Kind {
			continue
		}
		shape, err := apiextensionshelpers.GetSchemaForVersion(crd, kind.Version)
		if err != nil {
			t.Fatal(err)
		}
		internal := &apiextensions.CustomResourceValidation{}
		if err := apiextensionsv1.Convert_v1_CustomResourceValidation_To_apiextensions_CustomResourceValidation(shape, internal, nil); err != nil {
			t.Fatal(err)
		}
		structural, err := structuralschema.NewStructural(internal.OpenAPIV3Schema)
		if err != nil {
			t.Fatal(err)
		}
		validator, _, err := validation.NewSchemaValidator(internal.OpenAPIV3Schema)
		if err != nil {
			t.Fatal(err)
		}
		scale, err := scaleOf(crd, kind.Version)
		if err != nil {
			t.Fatal(err)
		}
		structuralpruning.Prune(object.Object, structural, true)
		structuraldefaulting.Default(object.Object, structural)
		namespaced := crd.Spec.Scope == apiextensionsv1.NamespaceScoped
		if namespaced && object.GetNamespace() == "" {
			object.SetNamespace(metav1.NamespaceDefault)
		}
		strategy := customresource.NewStrategy(nil, namespaced, kind, validator, nil, structural, nil, scale, nil)
		ctx := genericrequest.WithNamespace(context.Background(), object.GetNamespace())
		if errs := strategy.Validate(ctx, object); len(errs) > 0 {
			return apierrors.NewInvalid(kind.GroupKind(), object.GetName(), errs)
		}
	}
	return nil
}

func scaleOf(crd *apiextensionsv1.CustomResourceDefinition, version string) (*apiextensions.CustomResourceSubresourceScale, error) {
	subresources, err := apiextensionshelpers.GetSubresourcesForVersion(crd, version)
	if err != nil || subresources == nil || subresources.Scale == nil {
		return nil, err
	}
	scale := &apiextensions.CustomResourceSubresourceScale{}
	return scale, apiextensionsv1.Convert_v1_CustomResourceSubresourceScale_To_apiextensions_CustomResourceSubresourceScale(subresources.Scale, scale, nil)
}
