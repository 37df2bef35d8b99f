package apiserver

import (
	"context"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	networkingv1 "k8s.io/api/networking/v1"
	resourcev1 "k8s.io/api/resource/v1"
	storagemigrationv1 "k8s.io/api/storagemigration/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	admissionregistrationrest "k8s.io/kubernetes/pkg/registry/admissionregistration/rest"
	appsrest "k8s.io/kubernetes/pkg/registry/apps/rest"
	autoscalingrest "k8s.io/kubernetes/pkg/registry/autoscaling/rest"
	flowcontrolrest "k8s.io/kubernetes/pkg/registry/flowcontrol/rest"
	networkingrest "k8s.io/kubernetes/pkg/registry/networking/rest"
	resourcerest "k8s.io/kubernetes/pkg/registry/resource/rest"
	storagemigrationrest "k8s.io/kubernetes/pkg/registry/storagemigration/rest"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	batchv1 "k8s.io/api/batch/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	eventsv1 "k8s.io/api/events/v1"
	nodev1 "k8s.io/api/node/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	genericapiserver "k8s.io/apiserver/pkg/server"
	serverstorage "k8s.io/apiserver/pkg/server/storage"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	authenticationrest "k8s.io/kubernetes/pkg/registry/authentication/rest"
	authorizationrest "k8s.io/kubernetes/pkg/registry/authorization/rest"
	batchrest "k8s.io/kubernetes/pkg/registry/batch/rest"
	certificatesrest "k8s.io/kubernetes/pkg/registry/certificates/rest"
	coordinationrest "k8s.io/kubernetes/pkg/registry/coordination/rest"
	discoveryrest "k8s.io/kubernetes/pkg/registry/discovery/rest"
	eventsrest "k8s.io/kubernetes/pkg/registry/events/rest"
	noderest "k8s.io/kubernetes/pkg/registry/node/rest"
	policyrest "k8s.io/kubernetes/pkg/registry/policy/rest"
	rbacrest "k8s.io/kubernetes/pkg/registry/rbac/rest"
	schedulingrest "k8s.io/kubernetes/pkg/registry/scheduling/rest"
	storagerest "k8s.io/kubernetes/pkg/registry/storage/rest"
	"k8s.io/kubernetes/pkg/serviceaccount"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
	"github.com/kubesim-dev/kubesim/apiserver/registry"
)

// This is the range of node ports for Services. Source: default of
// --service-node-port-range.
const (
	nodePortFirst     = 30000
	nodePortRangeSize = 2768
)

// Bounds of service-account tokens. Source: the defaults of
// --service-account-max-token-expiration (none) and
// --service-account-extend-token-expiration.
const tokenExtendedExpiration = serviceaccount.ExpirationExtensionSeconds * time.Second

// groups builds every API group that the server serves.
type groups struct {
	options       *restOptions
	client        kubernetes.Interface
	informers     informers.SharedInformerFactory
	issuer        serviceaccount.TokenGenerator
	audiences     authenticator.Audiences
	authenticator authenticator.Request
	authorizer    authorizer.Authorizer
	rules         authorizer.RuleResolver
	random        registry.Random
	addresses     ServiceRange
	timekeeper    registry.Timekeeper
	logs          registry.LogReader
	usage         registry.MetricsReader
	dial          registry.Dialer
	storeHealth   func(context.Context) error

	numbers serviceNumbers
	// names are those of the groups that build returns.
	names []string
}

// provider is the interface of upstream's registries for each group.
type provider interface {
	NewRESTStorage(serverstorage.APIResourceConfigSource, restOptionsGetter) (genericapiserver.APIGroupInfo, error)
}

// build returns the groups in the order of discovery: that of priorities, see
// groupPriorities. This is THE table of what is served: it has a row for each group, with
// the upstream registry that answers it. servedVersions says which versions.
func (g *groups) build() ([]genericapiserver.APIGroupInfo, error) {
	served := serverstorage.NewResourceConfig()
	served.EnableVersions(servedVersions()...)
	infos := make([]genericapiserver.APIGroupInfo, 0, 24)
	core, err := g.core()
	if err != nil {
		return nil, err
	}
	infos = append(infos, core)
	for _, p := range []provider{
		appsrest.StorageProvider{},
		eventsrest.RESTStorageProvider{TTL: EventTTL},
		authenticationrest.RESTStorageProvider{Authenticator: g.authenticator, APIAudiences: g.audiences},
		authorizationrest.RESTStorageProvider{Authorizer: g.authorizer, RuleResolver: g.rules},
		autoscalingrest.RESTStorageProvider{},
		batchrest.RESTStorageProvider{},
		certificatesrest.RESTStorageProvider{Authorizer: g.authorizer},
		networkingrest.RESTStorageProvider{},
		policyrest.RESTStorageProvider{},
		rbacrest.RESTStorageProvider{Authorizer: g.authorizer},
		storagerest.RESTStorageProvider{},
		admissionregistrationrest.RESTStorageProvider{Authorizer: g.authorizer, DiscoveryClient: g.client.Discovery()},
		schedulingrest.RESTStorageProvider{},
		coordinationrest.RESTStorageProvider{},
		noderest.RESTStorageProvider{},
		discoveryrest.StorageProvider{},
		resourcerest.RESTStorageProvider{NamespaceClient: g.client.CoreV1().Namespaces(), Authorizer: g.authorizer},
		flowcontrolrest.RESTStorageProvider{InformerFactory: g.informers},
		storagemigrationrest.RESTStorageProvider{},
		apiServiceProvider{},
		definitionsProvider{},
		simProvider{g.timekeeper},
	} {
		info, err := p.NewRESTStorage(served, g.options)
		if err != nil {
			return nil, err
		}
		infos = append(infos, info)
	}
	infos = append(infos, g.metrics(core.VersionedResourcesStorageMap["v1"]))
	for i := range infos {
		g.names = append(g.names, infos[i].PrioritizedVersions[0].Group)
		for _, resources := range infos[i].VersionedResourcesStorageMap {
			stampAll(g.options.stamper, resources)
		}
	}
	return infos, nil
}

// servedVersions are the versions that kube-apiserver serves by default, and kubesim's
// own. Source: DefaultAPIResourceConfigSource, k8s.io/kubernetes pkg/controlplane v1.37.2.
func servedVersions() []schema.GroupVersion {
	return []schema.GroupVersion{
		corev1.SchemeGroupVersion, admissionregistrationv1.SchemeGroupVersion, apiregistrationv1.SchemeGroupVersion,
		appsv1.SchemeGroupVersion, authenticationv1.SchemeGroupVersion, authorizationv1.SchemeGroupVersion,
		autoscalingv1.SchemeGroupVersion, autoscalingv2.SchemeGroupVersion, batchv1.SchemeGroupVersion,
		certificatesv1.SchemeGroupVersion, coordinationv1.SchemeGroupVersion, discoveryv1.SchemeGroupVersion,
		eventsv1.SchemeGroupVersion, flowcontrolv1.SchemeGroupVersion, networkingv1.SchemeGroupVersion,
		nodev1.SchemeGroupVersion, policyv1.SchemeGroupVersion, rbacv1.SchemeGroupVersion, resourcev1.SchemeGroupVersion,
		schedulingv1.SchemeGroupVersion, storagev1.SchemeGroupVersion, storagemigrationv1.SchemeGroupVersion,
		v1alpha1.GroupVersion(),
	}
}
