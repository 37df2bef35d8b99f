package policy

import (
	"context"
	"sync"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating/patch"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/klog/v2"
)

// converters knows the schemas of built-in kinds from client-go, and those of custom
// resources from their definitions. Upstream's manager polls the server's OpenAPI
// description every five seconds.
type converters struct {
	schemas Schemas

	mu      sync.Mutex
	builtIn managedfields.TypeConverter
	custom  map[schema.GroupVersion]custom
}

// custom converts the custom resources of one group version.
type custom struct {
	revision  string
	converter managedfields.TypeConverter
}

var _ patch.TypeConverterManager = (*converters)(nil)

func newConverters(schemas Schemas) *converters {
	return &converters{schemas: schemas, custom: map[schema.GroupVersion]custom{}}
}

// GetTypeConverter implements patch.TypeConverterManager. It returns nil for a kind that
// it does not know, and the request is refused.
//
// Deviation: it does not know compiled-in kinds that client-go has not:
// CustomResourceDefinitions, APIServices and those of kubesim's own group.
func (c *converters) GetTypeConverter(gvk schema.GroupVersionKind) managedfields.TypeConverter {
	c.mu.Lock()
	defer c.mu.Unlock()
	if scheme.Scheme.Recognizes(gvk) {
		if c.builtIn == nil {
			c.builtIn = applyconfigurations.NewTypeConverter(scheme.Scheme)
		}
		return c.builtIn
	}
	gv := gvk.GroupVersion()
	revision := c.schemas.Revision(gv)
	if known, ok := c.custom[gv]; ok && known.revision == revision {
		return known.converter
	}
	delete(c.custom, gv)
	described, err := c.schemas.OpenAPI(gv)
	if err != nil || described == nil || described.Components == nil {
		if err != nil {
			klog.Background().Error(err, "A MutatingAdmissionPolicy cannot change a custom resource: its schema is missing", "kind", gvk)
		}
		return nil
	}
	converter, err := managedfields.NewTypeConverter(described.Components.Schemas, false)
	if err != nil {
		klog.Background().Error(err, "A MutatingAdmissionPolicy cannot change a custom resource", "kind", gvk)
		return nil
	}
	c.custom[gv] = custom{revision, converter}
	return converter
}

// Run implements patch.TypeConverterManager: a schema has changed when it is asked for.
func (c *converters) Run(context.Context) {}
