package apiserver

import (
	"fmt"
	"maps"
	"strings"

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
type simProvider struct{ timekeeper registry.Timekeeper }

// NewRESTStorage implements provider.
func (p simProvider) NewRESTStorage(_ serverstorage.APIResourceConfigSource, getter restOptionsGetter) (genericapiserver.APIGroupInfo, error) {
	info := genericapiserver.NewDefaultAPIGroupInfo(v1alpha1.GroupName, legacyscheme.Scheme, legacyscheme.ParameterCodec, legacyscheme.Codecs)
	scripts, status, err := registry.NewPodScripts(getter)
	if err != nil {
		return info, fmt.Errorf("apiserver: %s: %w", v1alpha1.GroupVersion(), err)
	}
	faults, faultStatus, err := registry.NewFaults(getter)
	if err != nil {
		return info, fmt.Errorf("apiserver: %s: %w", v1alpha1.GroupVersion(), err)
	}
	clock, advance, settled := registry.NewClocks(p.timekeeper)
	info.VersionedResourcesStorageMap[v1alpha1.GroupVersion().Version] = map[string]rest.Storage{
		"podscripts": scripts, "podscripts/status": status,
		"faults": faults, "faults/status": faultStatus,
		"clocks": clock, "clocks/advance": advance, "clocks/settled": settled,
	}
	return info, nil
}

// simRules returns what the bootstrap ClusterRole with this name may do in kubesim's
// own group: view reads; edit, and so admin, also writes. The group's objects are
// cluster-scoped, so a RoleBinding to these roles grants no right to them.
func simRules(role string) []rbacv1.PolicyRule {
	may := func(resources, verbs string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{v1alpha1.GroupName}, Resources: strings.Fields(resources), Verbs: strings.Fields(verbs)}
	}
	switch role {
	case "system:aggregate-to-view":
		return []rbacv1.PolicyRule{may("podscripts faults", "get list watch"), may("clocks clocks/settled", "get list")}
	case "system:aggregate-to-edit":
		return []rbacv1.PolicyRule{
			may("podscripts faults", "create delete deletecollection patch update"),
			may("clocks", "patch update"), may("clocks/advance", "create"),
		}
	}
	return nil
}

// openAPIDefinitions are upstream's and ours.
func openAPIDefinitions(ref openapicommon.ReferenceCallback) map[string]openapicommon.OpenAPIDefinition {
	all := generatedopenapi.GetOpenAPIDefinitions(ref)
	maps.Copy(all, v1alpha1.GetOpenAPIDefinitions(ref))
	return all
}
