package policy

import (
	"regexp"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/cel/openapi/resolver"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/spec3"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// Schemas describes custom resources.
type Schemas interface {
	// OpenAPI returns what /openapi/v3 says of a group version; nil if it has no custom
	// resources.
	OpenAPI(schema.GroupVersion) (*spec3.OpenAPI, error)
	// Revision changes whenever OpenAPI does.
	Revision(schema.GroupVersion) string
}

// TypeChecker checks the expressions of ValidatingAdmissionPolicies.
type TypeChecker struct {
	// Definitions are the schemas of compiled-in types.
	Definitions common.GetOpenAPIDefinitions
	// Custom describes all others.
	Custom Schemas
	// Kinds knows every kind that is served.
	Kinds meta.RESTMapper
}

// Check returns upstream's warnings about a policy.
func (c TypeChecker) Check(policy *admissionregistrationv1.ValidatingAdmissionPolicy) []admissionregistrationv1.ExpressionWarning {
	// The definitions are large, so they are not kept.
	schemas := resolver.NewDefinitionsSchemaResolver(c.Definitions, scheme.Scheme).Combine(customSchemas{c.Custom})
	warnings := (&validating.TypeChecker{SchemaResolver: schemas, RestMapper: c.Kinds}).Check(policy)
	for i := range warnings {
		warnings[i].Warning = settleTypeNames(warnings[i].Warning, policy.Spec.ParamKind)
	}
	return warnings
}

// settleTypeNames takes the wall clock out of a warning: upstream calls the type of a
// Deployment "Deployment", followed by a number of nanoseconds. A line that shows a part
// of the expression stays as it is.
//
// Deviation: the number is missing.
func settleTypeNames(warning string, param *admissionregistrationv1.ParamKind) string {
	lines := strings.Split(warning, "\n")
	kind := ""
	for i, line := range lines {
		if strings.HasPrefix(line, " |") {
			continue
		}
		if _, after, ok := strings.Cut(line, ", Kind="); ok { // the first line about this kind
			kind, _, _ = strings.Cut(after, ":")
		}
		names := regexp.QuoteMeta(kind)
		if param != nil {
			names += "|" + regexp.QuoteMeta(param.Kind)
		}
		lines[i] = regexp.MustCompile(`\b(`+names+`)\d+`).ReplaceAllString(line, "$1")
	}
	return strings.Join(lines, "\n")
}

// customSchemas is the resolver of custom resources. Upstream's asks the server's
// /openapi/v3.
type customSchemas struct{ Schemas }

// ResolveSchema implements resolver.SchemaResolver.
func (c customSchemas) ResolveSchema(gvk schema.GroupVersionKind) (*spec.Schema, error) {
	described, err := c.OpenAPI(gvk.GroupVersion())
	if err != nil {
		return nil, err
	}
	if described == nil || described.Components == nil {
		return nil, resolver.ErrSchemaNotFound
	}
	for name, s := range described.Components.Schemas {
		if describes(s, gvk) {
			return resolver.PopulateRefs(func(ref string) (*spec.Schema, bool) {
				s, ok := described.Components.Schemas[strings.TrimPrefix(ref, "#/components/schemas/")]
				return s, ok
			}, name)
		}
	}
	return nil, resolver.ErrSchemaNotFound
}

// describes reports whether s is the schema of a kind.
func describes(s *spec.Schema, gvk schema.GroupVersionKind) bool {
	var kinds []schema.GroupVersionKind
	if err := s.Extensions.GetObject("x-kubernetes-group-version-kind", &kinds); err != nil {
		return false
	}
	for _, each := range kinds {
		if each == gvk {
			return true
		}
	}
	return false
}
