package apiserver

import (
	"fmt"
	"time"

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
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/registry/rest"
	genericapiserver "k8s.io/apiserver/pkg/server"
	serverstorage "k8s.io/apiserver/pkg/server/storage"
	"k8s.io/apiserver/pkg/util/proxy"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/apis/core"
	kubeletclient "k8s.io/kubernetes/pkg/kubelet/client"
	authenticationrest "k8s.io/kubernetes/pkg/registry/authentication/rest"
	authorizationrest "k8s.io/kubernetes/pkg/registry/authorization/rest"
	batchrest "k8s.io/kubernetes/pkg/registry/batch/rest"
	certificatesrest "k8s.io/kubernetes/pkg/registry/certificates/rest"
	coordinationrest "k8s.io/kubernetes/pkg/registry/coordination/rest"
	configmapstore "k8s.io/kubernetes/pkg/registry/core/configmap/storage"
	endpointsstore "k8s.io/kubernetes/pkg/registry/core/endpoint/storage"
	eventstore "k8s.io/kubernetes/pkg/registry/core/event/storage"
	limitrangestore "k8s.io/kubernetes/pkg/registry/core/limitrange/storage"
	namespacestore "k8s.io/kubernetes/pkg/registry/core/namespace/storage"
	nodestore "k8s.io/kubernetes/pkg/registry/core/node/storage"
	volumestore "k8s.io/kubernetes/pkg/registry/core/persistentvolume/storage"
	claimstore "k8s.io/kubernetes/pkg/registry/core/persistentvolumeclaim/storage"
	podstore "k8s.io/kubernetes/pkg/registry/core/pod/storage"
	podtemplatestore "k8s.io/kubernetes/pkg/registry/core/podtemplate/storage"
	replicationcontrollerstore "k8s.io/kubernetes/pkg/registry/core/replicationcontroller/storage"
	resourcequotastore "k8s.io/kubernetes/pkg/registry/core/resourcequota/storage"
	secretstore "k8s.io/kubernetes/pkg/registry/core/secret/storage"
	"k8s.io/kubernetes/pkg/registry/core/service/allocator"
	"k8s.io/kubernetes/pkg/registry/core/service/ipallocator"
	"k8s.io/kubernetes/pkg/registry/core/service/portallocator"
	servicestore "k8s.io/kubernetes/pkg/registry/core/service/storage"
	serviceaccountstore "k8s.io/kubernetes/pkg/registry/core/serviceaccount/storage"
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

	numbers serviceNumbers
}

// provider is the interface of upstream's registries for each group.
type provider interface {
	NewRESTStorage(serverstorage.APIResourceConfigSource, restOptionsGetter) (genericapiserver.APIGroupInfo, error)
}

// build returns the groups in the order in which they are installed. This is THE table
// of what is served: it has a row for each group version, with the upstream registry
// that answers it.
func (g *groups) build() ([]genericapiserver.APIGroupInfo, error) {
	served := serverstorage.NewResourceConfig()
	served.EnableVersions(
		corev1.SchemeGroupVersion, batchv1.SchemeGroupVersion, eventsv1.SchemeGroupVersion,
		discoveryv1.SchemeGroupVersion, coordinationv1.SchemeGroupVersion, schedulingv1.SchemeGroupVersion,
		policyv1.SchemeGroupVersion, rbacv1.SchemeGroupVersion, certificatesv1.SchemeGroupVersion, nodev1.SchemeGroupVersion,
		authenticationv1.SchemeGroupVersion, authorizationv1.SchemeGroupVersion,
		storagev1.SchemeGroupVersion, v1alpha1.GroupVersion(),
	)
	// The resources of storage that are left out are about CSI drivers, of which there
	// are none.
	for _, resource := range []string{"volumeattachments", "volumeattributesclasses", "csinodes", "csidrivers", "csistoragecapacities"} {
		served.DisableResources(storagev1.SchemeGroupVersion.WithResource(resource))
	}
	infos := make([]genericapiserver.APIGroupInfo, 0, 14)
	core, err := g.core()
	if err != nil {
		return nil, err
	}
	infos = append(infos, core)
	for _, p := range []provider{
		authenticationrest.RESTStorageProvider{Authenticator: g.authenticator, APIAudiences: g.audiences},
		authorizationrest.RESTStorageProvider{Authorizer: g.authorizer, RuleResolver: g.rules},
		batchrest.RESTStorageProvider{},
		certificatesrest.RESTStorageProvider{Authorizer: g.authorizer},
		coordinationrest.RESTStorageProvider{},
		discoveryrest.StorageProvider{},
		eventsrest.RESTStorageProvider{TTL: EventTTL},
		noderest.RESTStorageProvider{},
		policyrest.RESTStorageProvider{},
		rbacrest.RESTStorageProvider{Authorizer: g.authorizer},
		schedulingrest.RESTStorageProvider{},
		storagerest.RESTStorageProvider{},
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
		for _, resources := range infos[i].VersionedResourcesStorageMap {
			stampAll(g.options.stamper, resources)
		}
	}
	return infos, nil
}

// core is upstream's LegacyRESTStorageProvider (pkg/registry/core/rest
// v1.37.2) for the resources that kubesim simulates, without its IP allocator's
// repair loops and without a kubelet behind HTTPS.
func (g *groups) core() (genericapiserver.APIGroupInfo, error) {
	info := genericapiserver.NewDefaultAPIGroupInfo("", legacyscheme.Scheme, legacyscheme.ParameterCodec, legacyscheme.Codecs)
	resources := map[string]rest.Storage{}
	for _, add := range []func(map[string]rest.Storage) error{g.plain, g.workloads, g.services} {
		if err := add(resources); err != nil {
			return info, fmt.Errorf("apiserver: core/v1: %w", err)
		}
	}
	info.VersionedResourcesStorageMap["v1"] = resources
	return info, nil
}

// plain adds the resources that need only a store.
func (g *groups) plain(to map[string]rest.Storage) error {
	var errs [9]error
	to["events"], errs[0] = eventstore.NewREST(g.options, uint64(EventTTL.Seconds()))
	to["secrets"], errs[1] = secretstore.NewREST(g.options)
	to["configmaps"], errs[2] = configmapstore.NewREST(g.options)
	to["podtemplates"], errs[3] = podtemplatestore.NewREST(g.options)
	to["limitranges"], errs[4] = limitrangestore.NewREST(g.options)
	to["namespaces"], to["namespaces/status"], to["namespaces/finalize"], errs[5] = unpack3(namespacestore.NewREST(g.options))
	to["resourcequotas"], to["resourcequotas/status"], errs[6] = unpack2(resourcequotastore.NewREST(g.options))
	to["persistentvolumes"], to["persistentvolumes/status"], errs[7] = unpack2(volumestore.NewREST(g.options))
	to["persistentvolumeclaims"], to["persistentvolumeclaims/status"], errs[8] = unpack2(claimstore.NewREST(g.options))
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func unpack2[A, B rest.Storage](a A, b B, err error) (rest.Storage, rest.Storage, error) {
	return a, b, err
}

func unpack3[A, B, C rest.Storage](a A, b B, c C, err error) (rest.Storage, rest.Storage, rest.Storage, error) {
	return a, b, c, err
}

// workloads adds replication controllers, nodes, pods and service accounts.
func (g *groups) workloads(to map[string]rest.Storage) error {
	controllers, err := replicationcontrollerstore.NewStorage(g.options)
	if err != nil {
		return err
	}
	to["replicationcontrollers"], to["replicationcontrollers/status"] = controllers.Controller, controllers.Status
	to["replicationcontrollers/scale"] = controllers.Scale

	nodes, err := nodestore.NewStorage(g.options, kubeletclient.KubeletClientConfig{PreferredAddressTypes: []string{"InternalIP"}}, g.dial.Transport())
	if err != nil {
		return err
	}
	kubelets := g.dial.Kubelets(nodes.KubeletConnectionInfo)
	nodes.Proxy.Connection = kubelets
	to["nodes"], to["nodes/status"], to["nodes/proxy"] = nodes.Node, nodes.Status, nodes.Proxy

	pods, err := podstore.NewStorage(g.options, kubelets, g.dial.Transport(), g.client.PolicyV1(), g.authorizer)
	if err != nil {
		return err
	}
	to["pods"], to["pods/status"] = pods.Pod, pods.Status
	to["pods/binding"], to["bindings"] = pods.Binding, pods.LegacyBinding
	to["pods/eviction"] = pods.Eviction
	to["pods/ephemeralcontainers"], to["pods/resize"] = pods.EphemeralContainers, pods.Resize
	to["pods/exec"], to["pods/attach"], to["pods/portforward"] = pods.Exec, pods.Attach, pods.PortForward
	to["pods/proxy"] = pods.Proxy
	to["pods/log"] = registry.NewPodLog(pods.Pod.Store, g.logs)

	accounts, err := serviceaccountstore.NewREST(g.options, g.issuer, g.audiences, g.authorizer, 0,
		pods.Pod.Store, to["secrets"].(rest.Getter), nodes.Node.Store,
		registry.Absent[*admissionregistrationv1.ValidatingWebhookConfiguration]{Resource: "validatingwebhookconfigurations"},
		registry.Absent[*admissionregistrationv1.MutatingWebhookConfiguration]{Resource: "mutatingwebhookconfigurations"},
		true, tokenExtendedExpiration)
	if err != nil {
		return err
	}
	to["serviceaccounts"], to["serviceaccounts/token"] = accounts, accounts.Token
	return nil
}

// services adds services and endpoints.
func (g *groups) services(to map[string]rest.Storage) error {
	g.numbers = newServiceNumbers(g.addresses, g.random)
	ports, err := portallocator.New(utilnet.PortRange{Base: nodePortFirst, Size: nodePortRangeSize},
		func(int, string, int) (allocator.Interface, error) {
			return g.numbers.ports, nil
		})
	if err != nil {
		return err
	}
	endpoints, err := endpointsstore.NewREST(g.options)
	if err != nil {
		return err
	}
	to["endpoints"] = endpoints
	pods := to["pods"].(*podstore.REST)
	slices, err := proxy.NewEndpointSliceIndexerGetter(g.informers.Discovery().V1().EndpointSlices())
	if err != nil {
		return err
	}
	services, status, through, err := servicestore.NewREST(g.options, core.IPv4Protocol,
		map[core.IPFamily]ipallocator.Interface{core.IPv4Protocol: g.numbers.ips}, ports, slices, pods, g.dial.Transport())
	if err != nil {
		return err
	}
	to["services"], to["services/status"], to["services/proxy"] = services, status, through
	return nil
}
