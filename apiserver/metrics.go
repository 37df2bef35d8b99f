package apiserver

import (
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/registry/rest"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/metrics/pkg/apis/metrics"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/kubesim-dev/kubesim/apiserver/registry"
)

// metrics is the group metrics.k8s.io. On a real cluster, an aggregated API server adds
// it: metrics-server. It only reads the Pods and Nodes of core.
func (g *groups) metrics(core map[string]rest.Storage) genericapiserver.APIGroupInfo {
	type readable interface {
		rest.Getter
		rest.Lister
	}
	info := genericapiserver.NewDefaultAPIGroupInfo(metrics.GroupName, legacyscheme.Scheme, legacyscheme.ParameterCodec, legacyscheme.Codecs)
	info.PrioritizedVersions = []schema.GroupVersion{metricsv1beta1.SchemeGroupVersion} // the scheme prefers one that metrics-server does not serve
	pods, nodes := registry.NewMetrics(core["pods"].(readable), core["nodes"].(readable), g.usage)
	info.VersionedResourcesStorageMap[metricsv1beta1.SchemeGroupVersion.Version] = map[string]rest.Storage{"pods": pods, "nodes": nodes}
	return info
}

// metricsRules returns what the bootstrap ClusterRole with this name may do in the
// group: view reads, and so do edit and admin.
//
// Deviation: metrics-server brings a ClusterRole of its own for that,
// system:aggregated-metrics-reader, which the three aggregate.
func metricsRules(role string) []rbacv1.PolicyRule {
	if role != "system:aggregate-to-view" {
		return nil
	}
	return []rbacv1.PolicyRule{{APIGroups: []string{metrics.GroupName}, Resources: []string{"pods", "nodes"}, Verbs: []string{"get", "list", "watch"}}}
}
