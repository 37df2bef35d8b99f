package customresource

import (
	"slices"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// A definition is a few kilobytes without its schemas, and often a megabyte with them.
// So the Handler knows definitions without schemas, and loads them when it makes
// registries or describes them. These use neither the loaded definition nor its
// descriptions after that.

// lean returns crd without schemas.
func lean(crd *apiextensionsv1.CustomResourceDefinition) *apiextensionsv1.CustomResourceDefinition {
	out := *crd
	out.Spec.Versions = slices.Clone(crd.Spec.Versions)
	for i := range out.Spec.Versions {
		out.Spec.Versions[i].Schema = nil
	}
	return &out
}

// undescribed returns spec without the descriptions in its schemas, and how many schemas
// there are.
func undescribed(spec *apiextensionsv1.CustomResourceDefinitionSpec) (out apiextensionsv1.CustomResourceDefinitionSpec, schemas int) {
	out = *spec
	out.Versions = slices.Clone(spec.Versions)
	for i := range out.Versions {
		if s := out.Versions[i].Schema; s != nil && s.OpenAPIV3Schema != nil {
			bare := withoutDescriptions(s.OpenAPIV3Schema, &schemas)
			out.Versions[i].Schema = &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &bare}
		}
	}
	return out, schemas
}

// withoutDescriptions returns a schema, which shares memory with s, and adds to count how
// many it consists of. In a structural schema, only properties, items and
// additionalProperties may have descriptions.
func withoutDescriptions(s *apiextensionsv1.JSONSchemaProps, count *int) apiextensionsv1.JSONSchemaProps {
	*count++
	out := *s
	out.Description = ""
	if s.Properties != nil {
		out.Properties = make(map[string]apiextensionsv1.JSONSchemaProps, len(s.Properties))
		for name, property := range s.Properties {
			out.Properties[name] = withoutDescriptions(&property, count)
		}
	}
	if s.Items != nil && s.Items.Schema != nil {
		items := withoutDescriptions(s.Items.Schema, count)
		out.Items = &apiextensionsv1.JSONSchemaPropsOrArray{Schema: &items}
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		values := withoutDescriptions(s.AdditionalProperties.Schema, count)
		out.AdditionalProperties = &apiextensionsv1.JSONSchemaPropsOrBool{Allows: s.AdditionalProperties.Allows, Schema: &values}
	}
	return out
}
