package openapi

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/kube-openapi/pkg/spec3"
)

// groupVersion returns the group and version of a path such as "apis/apps/v1" or
// "api/v1".
func groupVersion(path string) (group, version string, ok bool) {
	parts := strings.Split(path, "/")
	switch {
	case len(parts) == 2 && parts[0] == "api":
		return "", parts[1], true
	case len(parts) == 3 && parts[0] == "apis":
		return parts[1], parts[2], true
	}
	return "", "", false
}

// gvkExtension says which kinds a schema describes.
const gvkExtension = "x-kubernetes-group-version-kind"

// detach gives each schema extensions of its own: builders change those that the
// definitions share.
func detach(s *spec3.OpenAPI) {
	if s.Components == nil {
		return
	}
	for _, schema := range s.Components.Schemas {
		if schema != nil {
			schema.Extensions = maps.Clone(schema.Extensions)
		}
	}
}

// filterScopedGVKs leaves, of the kinds WatchEvent and DeleteOptions, which every group
// version has, only those of this one and of core/v1. Upstream: the function of that
// name, k8s.io/apiserver pkg/server/routes v0.37.2.
func filterScopedGVKs(s *spec3.OpenAPI, group, version string) {
	if s.Components == nil {
		return
	}
	for _, schema := range s.Components.Schemas {
		if schema == nil {
			continue
		}
		kinds, ok := schema.Extensions[gvkExtension].([]any)
		if !ok || len(kinds) < 2 || !inEveryGroup(kinds[0]) {
			continue
		}
		schema.Extensions[gvkExtension] = slices.DeleteFunc(slices.Clone(kinds), func(each any) bool {
			kind, _ := each.(map[string]any)
			own := kind["group"] == group && kind["version"] == version
			return !own && (kind["group"] != "" || kind["version"] != "v1")
		})
	}
}

func inEveryGroup(each any) bool {
	kind, _ := each.(map[string]any)
	return kind["kind"] == "WatchEvent" || kind["kind"] == "DeleteOptions"
}
