package apiserver

import (
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/kube-openapi/pkg/spec3"

	"github.com/kubesim-dev/kubesim/apiserver/policy"
)

// policySchemas describes custom resources to admission policies. The handler of custom
// resources, which it asks, is there when the first request comes.
type policySchemas struct{ server *Server }

var _ policy.Schemas = policySchemas{}

// OpenAPI implements policy.Schemas.
func (p policySchemas) OpenAPI(gv schema.GroupVersion) (*spec3.OpenAPI, error) {
	return p.server.custom.OpenAPI(gv)
}

// Revision implements policy.Schemas.
func (p policySchemas) Revision(gv schema.GroupVersion) string { return p.server.custom.Revision(gv) }

// CheckPolicy returns upstream's warnings about the expressions of a policy.
func (s *Server) CheckPolicy(p *admissionregistrationv1.ValidatingAdmissionPolicy) []admissionregistrationv1.ExpressionWarning {
	return policy.TypeChecker{Definitions: openAPIDefinitions, Custom: policySchemas{s}, Kinds: s.local.served.mapper()}.Check(p)
}

// mapper knows the kinds of all resources that are served now.
func (s *served) mapper() meta.RESTMapper {
	mapper := meta.NewDefaultRESTMapper(nil)
	for _, r := range *s.table.Load() {
		for _, version := range slices.Concat([]string{r.resource.Version}, r.versions) {
			gvr := r.resource.GroupResource().WithVersion(version)
			// Its own kind is of no interest, and scopes are not either.
			mapper.AddSpecific(gvr.GroupVersion().WithKind(r.kind.Kind), gvr, gvr, meta.RESTScopeRoot)
		}
	}
	return mapper
}
