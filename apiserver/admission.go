package apiserver

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/initializer"
	"k8s.io/apiserver/pkg/admission/plugin/namespace/lifecycle"
	mutatingpolicy "k8s.io/apiserver/pkg/admission/plugin/policy/mutating"
	validatingpolicy "k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/resourcequota"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/mutating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/validating"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	quotav1 "k8s.io/apiserver/pkg/quota/v1"
	genericapiserver "k8s.io/apiserver/pkg/server"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/component-base/compatibility"
	"k8s.io/kubernetes/pkg/kubeapiserver/admission/exclusion"
	quotainstall "k8s.io/kubernetes/pkg/quota/v1/install"
	"k8s.io/kubernetes/plugin/pkg/admission/certificates/approval"
	"k8s.io/kubernetes/plugin/pkg/admission/certificates/ctbattest"
	"k8s.io/kubernetes/plugin/pkg/admission/certificates/signing"
	"k8s.io/kubernetes/plugin/pkg/admission/certificates/subjectrestriction"
	"k8s.io/kubernetes/plugin/pkg/admission/defaulttolerationseconds"
	"k8s.io/kubernetes/plugin/pkg/admission/limitranger"
	"k8s.io/kubernetes/plugin/pkg/admission/network/defaultingressclass"
	"k8s.io/kubernetes/plugin/pkg/admission/nodedeclaredfeatures"
	"k8s.io/kubernetes/plugin/pkg/admission/nodetaint"
	"k8s.io/kubernetes/plugin/pkg/admission/podresize"
	"k8s.io/kubernetes/plugin/pkg/admission/podtopologylabels"
	"k8s.io/kubernetes/plugin/pkg/admission/priority"
	"k8s.io/kubernetes/plugin/pkg/admission/runtimeclass"
	"k8s.io/kubernetes/plugin/pkg/admission/scheduling/podgroupprotection"
	"k8s.io/kubernetes/plugin/pkg/admission/security/podsecurity"
	"k8s.io/kubernetes/plugin/pkg/admission/serviceaccount"
	"k8s.io/kubernetes/plugin/pkg/admission/storage/persistentvolume/resize"

	"github.com/kubesim-dev/kubesim/apiserver/plugin"
	"github.com/kubesim-dev/kubesim/apiserver/policy"
	"github.com/kubesim-dev/kubesim/apiserver/webhook"
)

// admissionPlugin is one row of the table of plugins.
type admissionPlugin struct {
	name     string
	register func(*admission.Plugins)
}

// admissionPlugins is THE table of admission plugins: those that are on by default, in
// upstream's order. Mutation comes first, quota last.
// Source: AllOrderedPlugins and DefaultOffAdmissionPlugins in k8s.io/kubernetes
// pkg/kubeapiserver/options v1.37.2.
func admissionPlugins(params policy.Params, schemas policy.Schemas) []admissionPlugin {
	return []admissionPlugin{
		{lifecycle.PluginName, lifecycle.Register},
		{limitranger.PluginName, limitranger.Register},
		{serviceaccount.PluginName, serviceaccount.Register},
		{nodetaint.PluginName, nodetaint.Register},
		{podsecurity.PluginName, podsecurity.Register},
		{priority.PluginName, priority.Register},
		{defaulttolerationseconds.PluginName, defaulttolerationseconds.Register},
		{plugin.DefaultClass, plugin.RegisterDefaultClass},
		{plugin.InUse, plugin.RegisterInUse},
		{podgroupprotection.PluginName, podgroupprotection.Register},
		{resize.PluginName, resize.Register},
		{runtimeclass.PluginName, runtimeclass.Register},
		{approval.PluginName, approval.Register},
		{signing.PluginName, signing.Register},
		{ctbattest.PluginName, ctbattest.Register},
		{subjectrestriction.PluginName, subjectrestriction.Register},
		{defaultingressclass.PluginName, defaultingressclass.Register},
		{podtopologylabels.PluginName, podtopologylabels.Register},
		{nodedeclaredfeatures.PluginName, nodedeclaredfeatures.Register},
		{podresize.PluginName, podresize.Register},
		{mutatingpolicy.PluginName, policy.RegisterMutating(params, schemas)},
		{mutating.PluginName, mutating.Register},
		{validatingpolicy.PluginName, policy.RegisterValidating(params)},
		{validating.PluginName, validating.Register},
		{resourcequota.PluginName, resourcequota.Register},
	}
}

// AdmissionPlugins returns the names of all of them, in their order.
func AdmissionPlugins() []string {
	var names []string
	for _, p := range admissionPlugins(nil, nil) {
		names = append(names, p.name)
	}
	return names
}

// enabledPlugins returns the names of the table's plugins without those in disabled.
func enabledPlugins(table []admissionPlugin, disabled []string) ([]string, error) {
	known := make([]string, 0, len(table))
	for _, p := range table {
		known = append(known, p.name)
	}
	for _, name := range disabled {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("--disable-admission-plugins %s: want some of %v", name, known)
		}
	}
	return slices.DeleteFunc(known, func(name string) bool { return slices.Contains(disabled, name) }), nil
}

// admissionConfig is what the chain of admission plugins needs.
type admissionConfig struct {
	Disabled      []string
	Configuration AdmissionConfiguration
	Client        kubernetes.Interface
	Informers     informers.SharedInformerFactory
	Authorizer    authorizer.Authorizer
	Version       compatibility.EffectiveVersion
	// Webhooks says how webhooks are called, but for where their Services are.
	Webhooks webhook.Config
	// Params and Schemas are what policies ask for.
	Params       policy.Params
	Schemas      policy.Schemas
	Interceptors interceptors
	// Stop is closed when the server ends.
	Stop <-chan struct{}
}

// admission says what the server's chain needs.
func (s *Server) admission(generic *genericapiserver.Config, factory informers.SharedInformerFactory, stop <-chan struct{}) admissionConfig {
	return admissionConfig{
		Disabled: s.cfg.DisableAdmissionPlugins, Configuration: s.cfg.AdmissionConfiguration,
		Client: s.client, Informers: factory, Authorizer: generic.Authorization.Authorizer, Version: generic.EffectiveVersion,
		Webhooks: s.cfg.webhooks(), Params: policyParams{s}.find, Schemas: policySchemas{s}, Interceptors: s.interceptors, Stop: stop,
	}
}

// newAdmission returns the chain of upstream's plugins, without those that are disabled.
func newAdmission(c admissionConfig) (admission.Interface, error) {
	table := admissionPlugins(c.Params, c.Schemas)
	names, err := enabledPlugins(table, c.Disabled)
	if err != nil {
		return nil, err
	}
	for name := range c.Configuration {
		if err := configurable(name); err != nil {
			return nil, err
		}
	}
	plugins := admission.NewPlugins()
	for _, p := range table {
		p.register(plugins)
	}
	quota, err := quotainstall.NewQuotaConfigurationForAdmission(c.Informers, nil)
	if err != nil {
		return nil, err
	}
	initializers := admission.PluginInitializers{
		// The policies' plugins demand a dynamic client and a mapper for the params, but
		// our params need neither.
		initializer.New(c.Client, dynamic.New(nil), c.Informers, c.Authorizer, utilfeature.DefaultFeatureGate, c.Version, c.Stop, meta.MultiRESTMapper{}),
		quotaInitializer{quota},
		excludedInitializer{},
	}
	hooks := c.Webhooks
	hooks.Services = webhook.NewServices(c.Informers)
	return plugins.NewFromPlugins(names, c.Configuration, initializers, admission.Decorators{
		plugin.SeedTokenVolume(hooks.Random), plugin.QuotaWhereThereIsOne(c.Informers.Core().V1().ResourceQuotas().Informer().GetIndexer()),
		plugin.SteadyPodSecurity(c.Informers.Core().V1().Pods().Lister()), plugin.RegisteredNodes(),
		webhook.Decorate(hooks),
		c.Interceptors.decorator(), // last: it hides what a plugin is
	})
}

// quotaInitializer passes the quota evaluators to the plugin that wants them.
type quotaInitializer struct{ configuration quotav1.Configuration }

// Initialize implements admission.PluginInitializer.
func (i quotaInitializer) Initialize(plugin admission.Interface) {
	if wants, ok := plugin.(initializer.WantsQuotaConfiguration); ok {
		wants.SetQuotaConfiguration(i.configuration)
	}
}

// excludedInitializer names the resources that no webhook and no policy may intercept.
type excludedInitializer struct{}

// Initialize implements admission.PluginInitializer.
func (excludedInitializer) Initialize(plugin admission.Interface) {
	if wants, ok := plugin.(initializer.WantsExcludedAdmissionResources); ok {
		wants.SetExcludedAdmissionResources(exclusion.Excluded())
	}
}
