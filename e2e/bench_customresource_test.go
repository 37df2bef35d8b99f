package e2e

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/validation/spec"
	generatedopenapi "k8s.io/kubernetes/pkg/generated/openapi"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/internal/cluster"
	"github.com/kubesim-dev/kubesim/internal/memory"
)

// BenchmarkCustomResourceDefinitions applies 200 definitions of the size of real ones in
// clock mode auto, creates an object of each, measures the way from a definition to its
// first object, and starts the cluster anew.
func BenchmarkCustomResourceDefinitions(b *testing.B) {
	const count, more = 200, 20
	memory.TuneGC()
	container := containerSchema()
	var t sizedTimes
	for range b.N {
		o := cluster.Options{
			DataDir: b.TempDir(), Listen: "127.0.0.1:0", Speed: 1, Seed: 1, Mode: engine.Auto,
			Controllers: []string{"*"}, Authorization: "RBAC",
		}
		o.Kubeconfig = filepath.Join(o.DataDir, "kubeconfig")
		c := startSized(b, o)
		clients := newSizedClients(b, c.Kubeconfig(), container)
		t.apply += clients.each(0, count, clients.define)
		t.defined += live()
		t.all += clients.each(0, count, clients.create)
		t.used += live()
		before := cpuTime()
		t.first += clients.each(count, count+more, func(i int) {
			clients.define(i)
			clients.create(i)
		})
		t.firstCPU += cpuTime() - before
		c.Close()

		started := time.Now()
		c = startSized(b, o)
		t.restart += time.Since(started)
		c.Close()
	}
	n := float64(b.N)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(t.apply.Seconds()/n, "s-to-define-200")
	b.ReportMetric(t.all.Seconds()/n, "s-to-use-200")
	b.ReportMetric(t.first.Seconds()*1000/n/more, "ms-to-first-object")
	b.ReportMetric(t.firstCPU.Seconds()*1000/n/more, "cpu-ms-to-first-object")
	b.ReportMetric(float64(t.defined)/n/(1<<20), "MiB-live-defined")
	b.ReportMetric(float64(t.used)/n/(1<<20), "MiB-live-used")
	b.ReportMetric(t.restart.Seconds()/n, "s-to-restart")
}

type sizedTimes struct {
	apply, all, first, firstCPU, restart time.Duration
	defined, used                        uint64 // bytes
}

func startSized(b *testing.B, o cluster.Options) *cluster.Cluster {
	b.Helper()
	c, err := cluster.Start(b.Context(), o)
	if err != nil {
		b.Fatal(err)
	}
	if err := c.AwaitReady(b.Context()); err != nil {
		b.Fatal(err)
	}
	return c
}

// sizedClients create definitions and objects.
type sizedClients struct {
	b           *testing.B
	definitions clientset.Interface
	objects     dynamic.Interface
	container   apiextensionsv1.JSONSchemaProps
}

func newSizedClients(b *testing.B, kubeconfig string, container apiextensionsv1.JSONSchemaProps) *sizedClients {
	b.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		b.Fatal(err)
	}
	config.QPS = -1
	c := &sizedClients{b: b, container: container}
	if c.definitions, err = clientset.NewForConfig(config); err != nil {
		b.Fatal(err)
	}
	if c.objects, err = dynamic.NewForConfig(config); err != nil {
		b.Fatal(err)
	}
	return c
}

// each calls do for from, from+1 …, below to, and returns how long that took.
func (c *sizedClients) each(from, to int, do func(int)) time.Duration {
	started := time.Now()
	for i := from; i < to; i++ {
		do(i)
	}
	return time.Since(started)
}

// live is what is on the heap after a collection. Unit: bytes.
func live() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// define creates the i-th definition, of 67 kB. Its objects list containers.
func (c *sizedClients) define(i int) {
	c.b.Helper()
	plural, group := fmt.Sprintf("sized%ds", i), sizedGroup(i)
	crd := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: plural + "." + group}}
	crd.Spec = apiextensionsv1.CustomResourceDefinitionSpec{
		Group: group, Scope: apiextensionsv1.NamespaceScoped,
		Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: plural, Kind: fmt.Sprintf("Sized%d", i)},
		Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
			Name: "v1", Served: true, Storage: true,
			Subresources: &apiextensionsv1.CustomResourceSubresources{Status: &apiextensionsv1.CustomResourceSubresourceStatus{}},
			Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
				Type: "object",
				Properties: map[string]apiextensionsv1.JSONSchemaProps{
					"spec": {Type: "object", Properties: map[string]apiextensionsv1.JSONSchemaProps{
						"containers": {Type: "array", Items: &apiextensionsv1.JSONSchemaPropsOrArray{Schema: &c.container}},
					}},
					"status": {Type: "object", Properties: map[string]apiextensionsv1.JSONSchemaProps{
						"replicas": {Type: "integer", Format: "int32"},
					}},
				},
			}},
		}},
	}
	if _, err := c.definitions.ApiextensionsV1().CustomResourceDefinitions().Create(c.b.Context(), crd, metav1.CreateOptions{}); err != nil {
		c.b.Fatal(err)
	}
}

// sizedGroup spreads definitions over groups of twenty.
func sizedGroup(i int) string { return fmt.Sprintf("g%d.example.com", i/20) }

// create creates an object of the i-th definition.
func (c *sizedClients) create(i int) {
	c.b.Helper()
	obj := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": sizedGroup(i) + "/v1", "kind": fmt.Sprintf("Sized%d", i), "metadata": map[string]any{"name": "one"},
		"spec": map[string]any{"containers": []any{map[string]any{"name": "c", "image": "busybox"}}},
	}}
	resource := schema.GroupVersionResource{Group: sizedGroup(i), Version: "v1", Resource: fmt.Sprintf("sized%ds", i)}
	if _, err := c.objects.Resource(resource).Namespace("default").Create(c.b.Context(), obj, metav1.CreateOptions{}); err != nil {
		c.b.Fatal(err)
	}
}

// containerSchema is the schema of a container as controller-gen writes it.
func containerSchema() apiextensionsv1.JSONSchemaProps {
	all := generatedopenapi.GetOpenAPIDefinitions(func(name string) spec.Ref { return spec.MustCreateRef("#/" + name) })
	s := all[corev1.Container{}.OpenAPIModelName()].Schema
	return structural(all, &s)
}

// structural is s with the schemas of what it refers to.
func structural(all map[string]common.OpenAPIDefinition, s *spec.Schema) apiextensionsv1.JSONSchemaProps {
	if ref := s.Ref.String(); ref != "" {
		referred := all[strings.TrimPrefix(ref, "#/")].Schema
		return structural(all, &referred)
	}
	out := apiextensionsv1.JSONSchemaProps{Description: s.Description, Format: s.Format, Required: s.Required, Nullable: s.Nullable}
	if len(s.Type) == 1 {
		out.Type = s.Type[0]
	}
	if s.Format == "int-or-string" || out.Type == "" { // an IntOrString or a Quantity
		out.Type, out.Format, out.XIntOrString = "", "", true
		out.AnyOf = []apiextensionsv1.JSONSchemaProps{{Type: "integer"}, {Type: "string"}}
	}
	if text, ok := s.Default.(string); ok && text != "" {
		out.Default = &apiextensionsv1.JSON{Raw: []byte(strconv.Quote(text))}
	}
	for name, property := range s.Properties {
		if out.Properties == nil {
			out.Properties = map[string]apiextensionsv1.JSONSchemaProps{}
		}
		out.Properties[name] = structural(all, &property)
	}
	if s.Items != nil {
		items := structural(all, s.Items.Schema)
		out.Items = &apiextensionsv1.JSONSchemaPropsOrArray{Schema: &items}
	}
	if s.AdditionalProperties != nil {
		values := structural(all, s.AdditionalProperties.Schema)
		out.AdditionalProperties = &apiextensionsv1.JSONSchemaPropsOrBool{Allows: true, Schema: &values}
	}
	return out
}
