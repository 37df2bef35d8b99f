package apiserver

import (
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/registry/rest"
	genericapiserver "k8s.io/apiserver/pkg/server"
	serverstorage "k8s.io/apiserver/pkg/server/storage"
	"k8s.io/kube-aggregator/pkg/apis/apiregistration"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	apiservicestore "k8s.io/kube-aggregator/pkg/registry/apiservice/etcd"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
)

// apiServiceProvider provides the group of APIServices.
type apiServiceProvider struct{}

// NewRESTStorage implements provider.
func (apiServiceProvider) NewRESTStorage(_ serverstorage.APIResourceConfigSource, getter restOptionsGetter) (genericapiserver.APIGroupInfo, error) {
	info := genericapiserver.NewDefaultAPIGroupInfo(apiregistration.GroupName, legacyscheme.Scheme, legacyscheme.ParameterCodec, legacyscheme.Codecs)
	services := apiservicestore.NewREST(legacyscheme.Scheme, getter)
	info.VersionedResourcesStorageMap[apiregistrationv1.SchemeGroupVersion.Version] = map[string]rest.Storage{
		"apiservices": services, "apiservices/status": apiservicestore.NewStatusREST(legacyscheme.Scheme, services),
	}
	return info, nil
}

// groupPriority says where discovery lists a group version: groups with a higher one come
// first, and within a group versions.
type groupPriority struct{ group, version int32 }

// priorityOf returns the priority of a group version. Custom resources have the same
// priority in every group. Source: apiVersionPriorities in k8s.io/kubernetes
// cmd/kube-apiserver/app, DefaultGenericAPIServicePriorities in pkg/controlplane/apiserver,
// and getGroupPriorityMin in its crdregistration, v1.37.2; for metrics.k8s.io, the manifest
// of metrics-server. kubesim's own group comes after all of these.
func priorityOf(gv schema.GroupVersion) groupPriority {
	switch gv {
	case schema.GroupVersion{Version: "v1"}:
		return groupPriority{18000, 1}
	case schema.GroupVersion{Group: "autoscaling", Version: "v2"}:
		return groupPriority{17500, 30}
	case schema.GroupVersion{Group: "flowcontrol.apiserver.k8s.io", Version: "v1"}:
		return groupPriority{16100, 21}
	case schema.GroupVersion{Group: "resource.k8s.io", Version: "v1"}:
		return groupPriority{16200, 21}
	case apiregistrationv1.SchemeGroupVersion:
		return groupPriority{20000, 100} // discovery has it first
	case metricsv1beta1.SchemeGroupVersion, v1alpha1.GroupVersion():
		return groupPriority{100, 100}
	}
	if group, ok := groupPriorities()[gv.Group]; ok {
		return groupPriority{group, 15}
	}
	return groupPriority{1000, 100}
}

// groupPriorities has the groups whose versions have priority 15.
func groupPriorities() map[string]int32 {
	return map[string]int32{
		"apps": 17800, "events.k8s.io": 17750, "authentication.k8s.io": 17700, "authorization.k8s.io": 17600,
		"autoscaling": 17500, "batch": 17400, "certificates.k8s.io": 17300, "networking.k8s.io": 17200, "policy": 17100,
		"rbac.authorization.k8s.io": 17000, "storage.k8s.io": 16800, "apiextensions.k8s.io": 16700,
		"admissionregistration.k8s.io": 16700, "scheduling.k8s.io": 16600, "coordination.k8s.io": 16500,
		"node.k8s.io": 16300, "discovery.k8s.io": 16200, "storagemigration.k8s.io": 15800,
	}
}
