package customresource

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/storagebackend/factory"
	"k8s.io/apiserver/pkg/util/webhook"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// told is what a Handler has said to those around it.
type told struct {
	stamped   int
	served    []string
	withdrew  []string
	closed    int
	announced []string
	// stored are the definitions, with their schemas.
	stored map[string]*apiextensionsv1.CustomResourceDefinition
}

// noServices leads to no webhook.
type noServices struct{ webhook.ServiceResolver }

func newHandler(t *testing.T) (*Handler, *told) {
	t.Helper()
	said := &told{stored: map[string]*apiextensionsv1.CustomResourceDefinition{}}
	codecs := serializer.NewCodecFactory(runtime.NewScheme())
	h, err := New(Config{
		Open:  func(Store) (storage.Interface, factory.DestroyFunc, error) { return nil, func() { said.closed++ }, nil },
		Wrap:  func(s storage.Interface) storage.Interface { return s },
		Stamp: func(*genericregistry.Store) { said.stamped++ },
		Serve: func(gvr schema.GroupVersionResource, kind string, others []string, _ map[string]rest.Storage) error {
			said.served = append(said.served, strings.Join(append([]string{gvr.GroupVersion().String(), kind}, others...), " "))
			return nil
		},
		Withdraw:  func(gr schema.GroupResource) { said.withdrew = append(said.withdrew, gr.String()) },
		Load:      func(name string) (*apiextensionsv1.CustomResourceDefinition, error) { return said.stored[name], nil },
		Reserved:  func(group string) bool { return group == "batch" },
		NotFound:  http.NotFoundHandler(),
		Admission: admission.NewChainHandler(), Authorizer: authorizerfactory.NewAlwaysAllowAuthorizer(),
		Services: noServices{}, Webhooks: func(r webhook.AuthenticationInfoResolver) webhook.AuthenticationInfoResolver { return r },
		Serializer: codecs,
		Announce: func(group string, versions []Version) {
			line := group
			for _, v := range versions {
				line += " " + v.Name
			}
			said.announced = append(said.announced, line)
		},
		Extend:         func(func(*spec.Swagger) (*spec.Swagger, error)) {},
		Schemas:        func() map[string]*spec.Schema { return nil },
		RequestTimeout: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	return h, said
}

// widgets has two versions. It is accepted and established.
func widgets(uid types.UID) *apiextensionsv1.CustomResourceDefinition {
	anything := &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{Type: "object"}}
	crd := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: "widgets.example.com", UID: uid}}
	crd.Spec = apiextensionsv1.CustomResourceDefinitionSpec{
		Group: "example.com", Scope: apiextensionsv1.NamespaceScoped,
		Names:      apiextensionsv1.CustomResourceDefinitionNames{Plural: "widgets", Singular: "widget", Kind: "Widget", ListKind: "WidgetList"},
		Conversion: &apiextensionsv1.CustomResourceConversion{Strategy: apiextensionsv1.NoneConverter},
		Versions: []apiextensionsv1.CustomResourceDefinitionVersion{
			{Name: "v1beta1", Served: true, Schema: anything}, {Name: "v1", Served: true, Storage: true, Schema: anything},
		},
	}
	crd.Status.AcceptedNames = crd.Spec.Names
	for _, condition := range []apiextensionsv1.CustomResourceDefinitionConditionType{apiextensionsv1.NamesAccepted, apiextensionsv1.Established} {
		crd.Status.Conditions = append(crd.Status.Conditions, apiextensionsv1.CustomResourceDefinitionCondition{Type: condition, Status: apiextensionsv1.ConditionTrue})
	}
	return crd
}

func apply(t *testing.T, h *Handler, said *told, crd *apiextensionsv1.CustomResourceDefinition) {
	t.Helper()
	said.stored[crd.Name] = crd
	if err := h.Apply(crd); err != nil {
		t.Fatal(err)
	}
}

// TestRegistriesAreFoundAndStamped fails where upstream keeps them in another way.
func TestRegistriesAreFoundAndStamped(t *testing.T) {
	h, said := newHandler(t)
	apply(t, h, said, widgets("1"))
	if said.stamped != 0 {
		t.Errorf("%d registries were made before anybody needs them", said.stamped)
	}
	store, err := h.registry("widgets.example.com")
	if err != nil {
		t.Fatal(err)
	}
	versions, err := h.front.versions("1")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, v := range versions {
		names = append(names, v.name)
		if v.name == "v1" && v.CustomResource.Store != store {
			t.Error("the registry of the stored version is not that of v1")
		}
	}
	if !slices.Equal(names, []string{"v1", "v1beta1"}) || said.stamped != 2 {
		t.Errorf("the front has versions %v, and %d were stamped; want v1 and v1beta1, both stamped", names, said.stamped)
	}
}

// TestRegistriesFollowTheSpec: a status changes nothing, a schema does, and a definition
// that was made anew has registries of its own.
func TestRegistriesFollowTheSpec(t *testing.T) {
	h, said := newHandler(t)
	crd := widgets("1")
	apply(t, h, said, crd)
	h.use(crd.Name)()
	terminating := crd.DeepCopy()
	terminating.Status.Conditions = append(terminating.Status.Conditions, apiextensionsv1.CustomResourceDefinitionCondition{Type: apiextensionsv1.Terminating, Status: apiextensionsv1.ConditionTrue})
	apply(t, h, said, terminating)
	if said.stamped != 2 {
		t.Errorf("%d registries were stamped after a change of status, want still 2", said.stamped)
	}
	one := crd.DeepCopy()
	one.Generation++
	one.Spec.Versions[0].Served = false
	apply(t, h, said, one)
	if versions, err := h.front.versions("1"); err != nil || len(versions) != 1 {
		t.Errorf("the front has %d versions, %v; want only the one that is served or stored", len(versions), err)
	}
	apply(t, h, said, widgets("2"))
	if versions, _ := h.front.versions("1"); len(versions) != 0 {
		t.Error("the front has registries of a definition that has gone")
	}
	served := []string{"example.com/v1 Widget v1beta1", "example.com/v1 Widget", "example.com/v1 Widget v1beta1"}
	if !slices.Equal(said.served, served) || !slices.Equal(said.withdrew, []string{"widgets.example.com"}) || said.closed != 1 {
		t.Errorf("served %v, withdrawn %v, closed %d", said.served, said.withdrew, said.closed)
	}
	h.Forget(crd.Name)
	want := []string{"example.com v1 v1beta1", "example.com v1 v1beta1", "example.com v1", "example.com v1 v1beta1", "example.com"}
	if !slices.Equal(said.announced, want) {
		t.Errorf("announced %q, want %q", said.announced, want)
	}
	if h.Knows(crd.Name) || said.closed != 2 {
		t.Errorf("the definition is known %t, its stores closed %d times", h.Knows(crd.Name), said.closed)
	}
}

// TestReservedGroupsAreNotServed: their keys belong to another store.
func TestReservedGroupsAreNotServed(t *testing.T) {
	h, said := newHandler(t)
	crd := widgets("1")
	crd.Name, crd.Spec.Group = "widgets.batch", "batch"
	apply(t, h, said, crd)
	if len(said.served) != 0 {
		t.Errorf("served %v", said.served)
	}
}

// TestConditionsAreOldForUpstream, or each creation in a new resource sleeps.
func TestConditionsAreOldForUpstream(t *testing.T) {
	crd := widgets("1")
	for i := range crd.Status.Conditions {
		crd.Status.Conditions[i].LastTransitionTime = metav1.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	for _, c := range settled(crd).Status.Conditions {
		if c.LastTransitionTime.Year() != 1970 {
			t.Errorf("%s is of %v", c.Type, c.LastTransitionTime)
		}
	}
	if crd.Status.Conditions[0].LastTransitionTime.Year() != 2200 {
		t.Error("the definition itself was changed")
	}
}

func TestDiscoveryPrefersTheNewestVersion(t *testing.T) {
	crd := widgets("1")
	crd.Spec.Versions = append(crd.Spec.Versions, apiextensionsv1.CustomResourceDefinitionVersion{Name: "v2alpha1", Served: true},
		apiextensionsv1.CustomResourceDefinitionVersion{Name: "v3"})
	if got := versionsOf([]*apiextensionsv1.CustomResourceDefinition{crd}); !slices.Equal(got, []string{"v1", "v1beta1", "v2alpha1"}) {
		t.Errorf("versions %v", got)
	}
}
