package testcluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
)

// deployed is the client configuration of a webhook that is deployed.
func deployed(path string) admissionregistrationv1.WebhookClientConfig {
	return admissionregistrationv1.WebhookClientConfig{Service: &admissionregistrationv1.ServiceReference{Namespace: "system", Name: "webhook-service", Path: &path}}
}

// refusing is a configuration of a webhook at /refuse.
func refusing() *admissionregistrationv1.ValidatingWebhookConfiguration {
	return &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "refuse"},
		Webhooks:   []admissionregistrationv1.ValidatingWebhook{validating("refuse.example.com", "configmaps", deployed("/refuse"))},
	}
}

// serve serves HTTPS until the test ends.
func serve(t *testing.T, at WebhookServer, handler http.HandlerFunc) {
	t.Helper()
	listener, err := net.Listen("tcp", fmt.Sprintf("%s:%d", at.Host, at.Port))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	ended := make(chan error, 1)
	go func() {
		ended <- server.ServeTLS(listener, filepath.Join(at.CertDir, "tls.crt"), filepath.Join(at.CertDir, "tls.key"))
	}()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
}

// review answers a request with what change makes of it.
func review[T any](w http.ResponseWriter, req *http.Request, change func(*T)) {
	var asked T
	if err := json.NewDecoder(req.Body).Decode(&asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	change(&asked)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(asked)
}

// TestWebhooksBesideTheTest: configurations that name a Service, as they are deployed, are
// called where the test serves them, at the path that they name.
func TestWebhooksBesideTheTest(t *testing.T) {
	t.Parallel()
	c := Start(t, Config{Nodes: NoNodes, WebhookInstallOptions: WebhookInstallOptions{
		Paths:              []string{"testdata/webhooks"},
		ValidatingWebhooks: []*admissionregistrationv1.ValidatingWebhookConfiguration{refusing()},
	}})
	wantFailure := `failed calling webhook "mark.example.com"`
	if err := c.put(t, "early"); err == nil || !strings.Contains(err.Error(), wantFailure) {
		t.Errorf("before anybody serves it: %v, want %s", err, wantFailure)
	}
	serve(t, c.Webhooks(), func(w http.ResponseWriter, req *http.Request) {
		review(w, req, func(asked *admissionv1.AdmissionReview) {
			asked.Response = &admissionv1.AdmissionResponse{UID: asked.Request.UID, Allowed: true}
			switch {
			case req.URL.Path == "/mark":
				asked.Response.PatchType = ptr.To(admissionv1.PatchTypeJSONPatch)
				asked.Response.Patch = []byte(`[{"op": "add", "path": "/data", "value": {"marked": "yes"}}]`)
			case req.URL.Path == "/refuse" && asked.Request.Name == "bad":
				asked.Response = &admissionv1.AdmissionResponse{UID: asked.Request.UID, Result: &metav1.Status{Message: "not " + asked.Request.Name}}
			}
		})
	})
	wantError(t, c.put(t, "bad"), `admission webhook "refuse.example.com" denied the request: not bad`)
	made, err := c.Client().CoreV1().ConfigMaps("default").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "good"}}, metav1.CreateOptions{})
	if err != nil || made.Data["marked"] != "yes" {
		t.Errorf("the ConfigMap has %v (%v), want the mark of the webhook", made.Data, err)
	}
}

// TestAConversionWebhookBesideTheTest: it is called when an object is read in a version in
// which it is not stored.
func TestAConversionWebhookBesideTheTest(t *testing.T) {
	t.Parallel()
	c := Start(t, Config{Nodes: NoNodes, CRDInstallOptions: CRDInstallOptions{CRDs: []*apiextensionsv1.CustomResourceDefinition{twoVersions()}}})
	serve(t, c.Webhooks(), func(w http.ResponseWriter, req *http.Request) {
		review(w, req, func(asked *apiextensionsv1.ConversionReview) {
			asked.Response = &apiextensionsv1.ConversionResponse{UID: asked.Request.UID, Result: metav1.Status{Status: metav1.StatusSuccess}}
			for _, object := range asked.Request.Objects {
				converted := strings.ReplaceAll(string(object.Raw), `"example.com/v1"`, `"`+asked.Request.DesiredAPIVersion+`"`)
				converted = strings.ReplaceAll(converted, `"old"`, `"converted at `+req.URL.Path+`"`)
				asked.Response.ConvertedObjects = append(asked.Response.ConvertedObjects, runtime.RawExtension{Raw: []byte(converted)})
			}
		})
	})
	c.Apply(`{apiVersion: example.com/v1, kind: Thing, metadata: {name: a}, say: old}`)
	got, err := c.dynamic.Resource(schema.GroupVersionResource{Group: "example.com", Version: "v2", Resource: "things"}).
		Namespace("default").Get(t.Context(), "a", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if say, _, _ := unstructured.NestedString(got.Object, "say"); say != "converted at /convert" {
		t.Errorf("it says %q, want what the webhook makes of it", say)
	}
}

// twoVersions is a definition with a conversion webhook.
func twoVersions() *apiextensionsv1.CustomResourceDefinition {
	version := func(name string, storage bool) apiextensionsv1.CustomResourceDefinitionVersion {
		return apiextensionsv1.CustomResourceDefinitionVersion{
			Name: name, Served: true, Storage: storage,
			Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
				Type: "object", Properties: map[string]apiextensionsv1.JSONSchemaProps{"say": {Type: "string"}},
			}},
		}
	}
	return &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "things.example.com"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: "example.com", Scope: apiextensionsv1.NamespaceScoped,
			Names:    apiextensionsv1.CustomResourceDefinitionNames{Plural: "things", Singular: "thing", Kind: "Thing", ListKind: "ThingList"},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{version("v1", true), version("v2", false)},
			Conversion: &apiextensionsv1.CustomResourceConversion{Strategy: apiextensionsv1.WebhookConverter, Webhook: &apiextensionsv1.WebhookConversion{
				ConversionReviewVersions: []string{"v1"},
				ClientConfig: &apiextensionsv1.WebhookClientConfig{Service: &apiextensionsv1.ServiceReference{
					Namespace: "system", Name: "webhook-service", Path: ptr.To("/convert"),
				}},
			}},
		},
	}
}

// TestWhatCannotBeInstalledSaysWhatToDo: each ends a user's test.
func TestWhatCannotBeInstalledSaysWhatToDo(t *testing.T) {
	t.Parallel()
	empty, nowhere, other := refusing(), refusing(), refusing()
	other.Webhooks[0].Name = "other.example.com"
	empty.Webhooks = nil
	nowhere.Webhooks[0].ClientConfig = admissionregistrationv1.WebhookClientConfig{}
	typed := func(configuration *admissionregistrationv1.ValidatingWebhookConfiguration) Config {
		return Config{WebhookInstallOptions: WebhookInstallOptions{ValidatingWebhooks: []*admissionregistrationv1.ValidatingWebhookConfiguration{configuration}}}
	}
	paths := func(path string) Config {
		return Config{WebhookInstallOptions: WebhookInstallOptions{Paths: []string{path}}}
	}
	for name, tc := range map[string]struct {
		config Config
		want   string
	}{
		"a path that does not exist": {paths("testdata/none"),
			"Config.WebhookInstallOptions.Paths: stat testdata/none: no such file or directory: want a file or a directory; a relative path begins in the folder of the test's package"},
		"a path without configurations": {paths("testdata/crds"),
			"Config.WebhookInstallOptions.Paths: testdata/crds: there is no MutatingWebhookConfiguration or ValidatingWebhookConfiguration in it"},
		"a file that is no YAML":           {paths("install_test.go"), "Config.WebhookInstallOptions.Paths: install_test.go: document 1 of the manifests: "},
		"a configuration without webhooks": {typed(empty), `ValidatingWebhookConfiguration "refuse": it has no webhooks, so that nothing would be called: give it some`},
		"two configurations of one name": {
			Config{WebhookInstallOptions: WebhookInstallOptions{ValidatingWebhooks: []*admissionregistrationv1.ValidatingWebhookConfiguration{refusing(), refusing(), other}}},
			`Config.WebhookInstallOptions: there are two ValidatingWebhookConfigurations named "refuse", and they differ: rename one, or put both into one`,
		},
		"a configuration that is nil":  {typed(nil), "Config.WebhookInstallOptions.ValidatingWebhooks[0]: "},
		"a webhook that leads nowhere": {typed(nowhere), `ValidatingWebhookConfiguration "refuse": .*exactly one of`},
		"a definition that does not exist": {Config{CRDInstallOptions: CRDInstallOptions{Paths: []string{"testdata/none"}}},
			"Config.CRDInstallOptions.Paths: stat testdata/none: no such file or directory: want a file or a directory"},
		"a server that nobody calls": {Config{}, "the cluster calls no webhook here: set Config.WebhookInstallOptions"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.config.Nodes = NoNodes
			f := &fake{name: t.Name()}
			f.run(func() { Start(f, tc.config).Webhooks() })
			if !contains(f.failure, tc.want) {
				t.Errorf("the test fails with %q, want %q", f.failure, tc.want)
			}
		})
	}
}
