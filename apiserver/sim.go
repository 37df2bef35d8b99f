package apiserver

import (
	"fmt"
	"maps"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apiserver/pkg/registry/rest"
	genericapiserver "k8s.io/apiserver/pkg/server"
	serverstorage "k8s.io/apiserver/pkg/server/storage"
	openapicommon "k8s.io/kube-openapi/pkg/common"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	generatedopenapi "k8s.io/kubernetes/pkg/generated/openapi"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
	"github.com/kubesim-dev/kubesim/apiserver/registry"
)

// simProvider provides kubesim's own group.
type simProvider struct{}

// NewRESTStorage implements provider.
func (simProvider) NewRESTStorage(_ serverstorage.APIResourceConfigSource, getter restOptionsGetter) (genericapiserver.APIGroupInfo, error) {
	info := genericapiserver.NewDefaultAPIGroupInfo(v1alpha1.GroupName, legacyscheme.Scheme, legacyscheme.ParameterCodec, legacyscheme.Codecs)
	scripts, status, err := registry.NewPodScripts(getter)
	if err != nil {
		return info, fmt.Errorf("apiserver: %s: %w", v1alpha1.GroupVersion(), err)
	}
	faults, faultStatus, err := registry.NewFaults(getter)
	if err != nil {
		return info, fmt.Errorf("apiserver: %s: %w", v1alpha1.GroupVersion(), err)
	}
	info.VersionedResourcesStorageMap[v1alpha1.GroupVersion().Version] = map[string]rest.Storage{
		"podscripts": scripts, "podscripts/status": status,
		"faults": faults, "faults/status": faultStatus,
	}
	return info, nil
}

// simRules are what the bootstrap ClusterRole of a name may do in kubesim's own
// group: view reads; edit, and so admin, writes too. The group's objects are the
// cluster's, so a RoleBinding to these roles gives no right to them.
func simRules(role string) []rbacv1.PolicyRule {
	rule := rbacv1.PolicyRule{APIGroups: []string{v1alpha1.GroupName}, Resources: []string{"podscripts", "faults"}}
	switch role {
	case "system:aggregate-to-view":
		rule.Verbs = []string{"get", "list", "watch"}
	case "system:aggregate-to-edit":
		rule.Verbs = []string{"create", "delete", "deletecollection", "patch", "update"}
	default:
		return nil
	}
	return []rbacv1.PolicyRule{rule}
}

// openAPIDefinitions are upstream's and ours.
func openAPIDefinitions(ref openapicommon.ReferenceCallback) map[string]openapicommon.OpenAPIDefinition {
	all := generatedopenapi.GetOpenAPIDefinitions(ref)
	maps.Copy(all, v1alpha1.GetOpenAPIDefinitions(ref))
	return all
}
