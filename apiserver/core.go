package apiserver

import (
	"context"
	"fmt"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apiserver/pkg/registry/rest"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/util/proxy"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/apis/core"
	kubeletclient "k8s.io/kubernetes/pkg/kubelet/client"
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

	"github.com/kubesim-dev/kubesim/apiserver/registry"
)

// core is upstream's LegacyRESTStorageProvider (pkg/registry/core/rest
// v1.37.2) for the resources that kubesim simulates, without its IP allocator's
// repair loops and without a kubelet behind HTTPS.
func (g *groups) core() (genericapiserver.APIGroupInfo, error) {
	info := genericapiserver.NewDefaultAPIGroupInfo("", legacyscheme.Scheme, legacyscheme.ParameterCodec, legacyscheme.Codecs)
	resources := map[string]rest.Storage{}
	resources["componentstatuses"] = registry.NewComponentStatuses(func() error { return g.storeHealth(context.Background()) })
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
		g.client.AdmissionregistrationV1().ValidatingWebhookConfigurations(), g.client.AdmissionregistrationV1().MutatingWebhookConfigurations(),
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
