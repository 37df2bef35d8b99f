package customresource

import (
	"fmt"
	"slices"
	"strings"

	apiextensionshelpers "k8s.io/apiextensions-apiserver/pkg/apihelpers"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/controller/openapi/builder"
	apiextensionsfeatures "k8s.io/apiextensions-apiserver/pkg/features"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/kube-openapi/pkg/handler"
	"k8s.io/kube-openapi/pkg/spec3"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

func builderOptions(v2 bool) builder.Options {
	return builder.Options{V2: v2, IncludeSelectableFields: utilfeature.DefaultFeatureGate.Enabled(apiextensionsfeatures.CustomResourceFieldSelectors)}
}

// OpenAPI describes one version of a group, as /openapi/v3 does; nil if nothing of it is
// served.
func (h *Handler) OpenAPI(gv schema.GroupVersion) (*spec3.OpenAPI, error) {
	h.mu.RLock()
	crds := h.shown[gv.Group]
	h.mu.RUnlock()
	if !slices.Contains(versionsOf(crds), gv.Version) {
		return nil, nil
	}
	return h.describe(crds, gv.Version)
}

// Revision changes whenever what OpenAPI returns does.
func (h *Handler) Revision(gv schema.GroupVersion) string {
	h.mu.RLock()
	defer h.mu.RUnlock()
	var b strings.Builder
	for _, crd := range h.shown[gv.Group] {
		fmt.Fprintf(&b, "%s %s,", crd.Name, crd.ResourceVersion)
	}
	return b.String()
}

// describe builds OpenAPI v3 of one version of a group. Source: updateGroupVersion and
// buildV3Spec of k8s.io/apiextensions-apiserver pkg/controller/openapiv3 v0.37.2.
func (h *Handler) describe(crds []*apiextensionsv1.CustomResourceDefinition, version string) (*spec3.OpenAPI, error) {
	var specs []*spec3.OpenAPI
	for _, crd := range crds {
		whole, err := h.described(crd)
		if err != nil {
			return nil, err
		}
		if !apiextensionshelpers.HasServedCRDVersion(whole, version) {
			continue
		}
		one, err := builder.BuildOpenAPIV3(whole, version, builderOptions(false))
		if err != nil {
			return nil, err
		}
		specs = append(specs, one)
	}
	return builder.MergeSpecsV3(specs...)
}

// extend adds all definitions to OpenAPI v2. Source: createSpecCache and updateSpecLocked
// of k8s.io/apiextensions-apiserver pkg/controller/openapi v0.37.2, where a definition
// that cannot be described is left out, too.
func (h *Handler) extend(static *spec.Swagger, crds []*apiextensionsv1.CustomResourceDefinition) (*spec.Swagger, error) {
	var specs []*spec.Swagger
	for _, crd := range crds {
		whole, err := h.described(crd)
		if err != nil {
			return nil, err
		}
		for _, v := range whole.Spec.Versions {
			if !v.Served {
				continue
			}
			one, err := builder.BuildOpenAPIV2(whole, v.Name, builderOptions(true))
			if err != nil {
				continue
			}
			one.Definitions = handler.PruneDefaults(one.Definitions)
			specs = append(specs, one)
		}
	}
	return builder.MergeSpecs(static, specs...)
}

// described returns crd with its schemas. If it was deleted in the meantime, that is
// announced in a moment, and it is described without them.
func (h *Handler) described(crd *apiextensionsv1.CustomResourceDefinition) (*apiextensionsv1.CustomResourceDefinition, error) {
	loaded, err := h.cfg.Load(crd.Name)
	if apierrors.IsNotFound(err) || err == nil && loaded.UID != crd.UID {
		return crd, nil
	}
	if err != nil {
		return nil, err
	}
	whole := *crd
	whole.Spec = loaded.Spec
	return &whole, nil
}
