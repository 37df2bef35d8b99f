package upstream

import "maps"

// notRun lists what cannot apply to kubesim, and why: by suite and test, or by suite,
// test and a pattern of its subtests.
func notRun() map[string]string {
	all := map[string]string{}
	for _, list := range []map[string]string{notOfJobs(), notOfApps(), notOfControllers(), notOfAuth(), notOfServers(), notOfScheduler(), notOfAdmission(), notOfCustomResources()} {
		maps.Copy(all, list)
	}
	return all
}

// What several tests want, and kubesim has not.
const (
	emulation   = "starts a server that emulates an older release; kubesim is one release"
	beta        = "switches on a beta version that is off by default; kubesim serves what is on"
	authzConfig = "starts the server with authorization webhooks; kubesim has RBAC and AlwaysAllow"
	nodes       = "starts the server with the Node authorizer and NodeRestriction; kubesim's kubelets are in its process"
	tokens      = "gives the server another issuer or other audiences of service-account tokens; kubesim's are kubeadm's"
	serverFiles = "reads or signs with the files of kube-apiserver's certificates; kubesim's authority makes its own"
	manifests   = "gives the server webhooks or policies in files, by the alpha gate ManifestBasedAdmissionControlConfig; kubesim's come from the API"
	routing     = "sets --enable-aggregator-routing, which kubesim has not: Services are reached by their cluster IP"
	itself      = "upstream skips it itself"
	services    = "wants a webhook or an API server behind a Service whose endpoints are on the host; kubesim's Services lead to Pods only"
	otherRange  = "gives the cluster another range while a server with the first one runs; the Service kubernetes of a kubesim cluster keeps its address"
	twoFamilies = "wants Services with IPv6 addresses; kubesim's have IPv4 only"
	layout      = "writes a version that is no longer served into etcd, under upstream's key; kubesim's keys have the group in them"
	inTurn      = "webhooks that validate are asked at the same time there; kubesim asks one after the other, so that the same one answers in every run"
	alpha       = "switches every alpha gate and version on; kubesim serves what is on by default"
	twoEtcds    = "keeps Events in a second etcd; a kubesim cluster lies in one"
	ownGroup    = "takes every resource that is served, and has no object or exception for kubesim's own group"
)

func notOfJobs() map[string]string {
	const gangScheduling = "wants gang scheduling (the gates GenericWorkload and WorkloadWithJob), which is off by default and is not simulated"
	return map[string]string{
		"job/TestJobDelegatedPodGroup":            gangScheduling,
		"job/TestJobGangScheduling":               gangScheduling,
		"job/TestJobGangSchedulingElasticScaling": gangScheduling,
		"job/TestJobGangSchedulingSuspendResume":  gangScheduling,
		"job/TestManagedBy_Reenabling":            "switches JobManagedBy off, by the emulation of an older release; in this one the gate is locked on",
		"job/TestMutablePodResourcesWithPodReplacementPolicyFailed": "deletes Pods in the moment in which the controller does, and wants it to take their finalizer all the same; " +
			"ours sees the conflict and waits for the end of the Pods, as upstream's does whose cache is a millisecond newer",
	}
}

func notOfApps() map[string]string {
	const switched = "switches the gate DeploymentReplicaSetTerminatingReplicas while the controller runs; kubesim reads its gates when it starts"
	return map[string]string{
		"deployment/TestTerminatingReplicasDeploymentStatus": switched,
		"replicaset/TestTerminatingReplicas":                 switched,
	}
}

func notOfControllers() map[string]string {
	const external = "signs service-account tokens with a program beside the server; kubesim has a key of its own"
	return map[string]string{
		"garbagecollector/TestCascadingDeleteOnCRDConversionFailure": "wants the collector's informers to fail; kubesim's collector has none, and sees each commit",
		"serviceaccount/TestDelayedStartForSigner":                   external,
		"serviceaccount/TestExternalJWTSigningAndAuth":               external,
		"servicecidr/TestEnableDisableServiceCIDR":                   emulation,
		"servicecidr/TestMigrateService":                             "writes a Service into etcd, under upstream's key; kubesim's for Services is another",
		"servicecidr/TestMigrateServiceCIDR":                         otherRange,
		"servicecidr/TestServiceAllocIPAddressLargeCIDR":             twoFamilies,
		"servicecidr/TestServiceAllocPerformance":                    itself,
		"servicecidr/TestServiceAllocation":                          emulation,
		"servicecidr/TestServiceCIDRMigrationScenarios":              otherRange + "; " + twoFamilies,
		"servicecidr/TestServiceIPRepairRaceCondition":               itself,
		"servicecidr/TestSkewAllocatorsRollout":                      emulation,
		"servicecidr/TestSkewedAllocatorsRollback":                   itself,
		"servicecidr/TestValidationAdmissionPolicyServiceCIDR":       twoFamilies,
	}
}

func notOfAuth() map[string]string {
	const storage = "builds its authorizer over kube-apiserver's own storage factory"
	return map[string]string{
		"auth/TestConstrainedImpersonation":              "wants the latency of requests in the audit log; kubesim leaves out what the wall clock says",
		"auth/TestAuthModeAlwaysDeny":                    "starts the server with the AlwaysDeny authorizer, which kubesim has not: its own client is denied, too, and it is never ready",
		"auth/TestAuthnToKAS":                            serverFiles,
		"auth/TestAuthzConfig":                           authzConfig,
		"auth/TestDynamicClientBuilder":                  tokens,
		"auth/TestGetsSelfAttributes/.*_v1beta1":         emulation,
		"auth/TestMultiWebhookAuthzConfig":               authzConfig,
		"auth/TestNodeAuthorizer":                        nodes,
		"auth/TestNodeRestrictionServiceAccount":         nodes,
		"auth/TestNodeRestrictionServiceAccountAudience": nodes,
		"auth/TestRBAC":                                  storage,
		"auth/TestRBACContextContamination":              storage,
		"auth/TestServiceAccountTokenAttestations":       tokens,
		"auth/TestServiceAccountTokenCreate":             tokens,
		"auth/TestSloppySANCertificates":                 serverFiles,
	}
}

func notOfScheduler() map[string]string {
	return map[string]string{
		"scheduler/filters/TestUnschedulablePodBecomesSchedulable": "asks upstream's queue which Pods wait; kubesim's scheduler is in the server",
	}
}

func notOfServers() map[string]string {
	const (
		peers = "starts two servers that proxy to each other by a gate that is off by default; servers of one kubesim cluster serve the same"
		cbor  = "wants discovery in CBOR, by a gate that is off by default"
	)
	return map[string]string{
		"apiserver/TestAllowedEmulationVersions":                                    emulation,
		"apiserver/TestCBORNonResourceEndpoints":                                    cbor,
		"apiserver/TestDefaultStorageEncoding":                                      "switches every alpha gate on, and reads in etcd what upstream's server has stored",
		"apiserver/TestDisableEmulationVersion":                                     emulation,
		"apiserver/TestEmulatedStorageVersion":                                      emulation,
		"apiserver/TestEnableEmulationVersion":                                      emulation,
		"apiserver/TestEnableEmulationVersionForwardCompatible":                     emulation,
		"apiserver/TestEnableRuntimeConfigEmulationVersionForwardCompatible":        emulation,
		"apiserver/TestHealthHandler":                                               twoEtcds,
		"apiserver/TestWatchCacheUpdatedByEtcd":                                     twoEtcds,
		"apiserver/TestHealthHandlerLoopbackServingCertificate":                     "looks for the check of the loopback certificate; kubesim's loopback has no connection, and no certificate",
		"apiserver/TestListOptions":                                                 "counts the requests that upstream's watch cache and store make to etcd",
		"apiserver/TestTransform/v1beta1_verify_columns_on_services":                "open: a watch of the first Service as a Table has fewer events than wanted, and sometimes that of the second; the same with v1 passes",
		"apiserver/TestTransform/v1beta1_verify_columns_on_services_with_no_object": "open: as the one before, on a busy machine",
		"apiserver/TestMinCompatibilityStorageVersion":                              emulation,
		"apiserver/discovery/TestAggregatedAPIServiceDiscovery":                     services,
		"apiserver/discovery/TestCRD":                                               services,
		"apiserver/discovery/TestFreshness":                                         services,
		"apiserver/discovery/TestGroupPriority":                                     services,
		"apiserver/discovery/TestPeerAggregatedDiscovery":                           peers,
		"apiserver/discovery/TestPeerAggregatedDiscoveryWithCRD":                    peers,
		"apiserver/discovery/TestReadinessAggregatedAPIServiceDiscovery":            services,
		"apiserver/discovery/TestSingularNames":                                     "takes every resource that is served; those of metrics.k8s.io have no singular names",
		"apiserver/openapi/TestEnablingOpenAPIEnumTypes":                            "replaces the definitions of OpenAPI by upstream's, without kubesim's own group",
		"apiserver/openapi/TestFetchingOpenAPIBeforeReady":                          services,
		"apiserver/openapi/TestOpenAPIV3ProtoRoundtrip":                             itself,
	}
}

func notOfAdmission() map[string]string {
	return map[string]string{
		"apiserver/admissionwebhook/TestStaticWebhookComprehensive":                 manifests,
		"apiserver/admissionwebhook/TestWebhookClientAuthWithAggregatorRouting":     routing,
		"apiserver/admissionwebhook/TestWebhookClientAuthWithoutAggregatorRouting":  routing,
		"apiserver/admissionwebhook/TestWebhookAdmissionWithCBOR":                   layout,
		"apiserver/admissionwebhook/TestWebhookAdmissionWithWatchCache":             layout,
		"apiserver/admissionwebhook/TestWebhookAdmissionWithoutWatchCache":          layout,
		"apiserver/admissionwebhook/TestWebhookConnectionPoolIPReuse":               services,
		"apiserver/admissionwebhook/TestWebhookLoadBalance":                         services,
		"apiserver/admissionwebhook/TestWebhookLoadBalanceAcrossEndpoints":          services,
		"apiserver/admissionwebhook/TestWebhookTimeoutWithWatchCache":               inTurn,
		"apiserver/admissionwebhook/TestWebhookTimeoutWithoutWatchCache":            inTurn,
		"apiserver/cel/TestStaticPolicyComprehensive":                               manifests,
		"apiserver/cel/TestAuthorizationDecisionCaching":                            authzConfig,
		"apiserver/cel/TestExcludedResources":                                       ownGroup,
		"apiserver/cel/TestMutatingAdmissionPolicy/v1beta1":                         beta,
		"apiserver/cel/TestMutatingAdmissionPolicy_Slow/v1beta1":                    beta,
		"apiserver/cel/TestPolicyAdmission/sim\\.kubesim\\.dev.*":                   ownGroup,
		"apiserver/cel/TestPolicyAdmissionV1beta1":                                  emulation,
		"apiserver/cel/Test_MutatingAdmissionPolicy_CustomResourceParamRef/v1beta1": beta,
		"apiserver/cel/Test_MutatingAdmissionPolicy_CustomResources/v1beta1":        beta,
	}
}

func notOfCustomResources() map[string]string {
	const nonStructural = "writes a schema of apiextensions/v1beta1 into etcd, and wants the condition NonStructuralSchema; kubesim never sets it"
	return map[string]string{
		"apiextensions/TestApplyCRDuringCRDFinalization":                          "wants the condition Terminating to last longer than a look every 100 ms; upstream waits 5 s for the instances, kubesim needs no time",
		"apiserver/apply/TestApplyResetFields":                                    alpha,
		"apiserver/apply/TestApplyStatus":                                         alpha,
		"apiserver/apply/TestApplyStatusWithCBOR":                                 alpha,
		"apiextensions/TestCBORStorageEnablement":                                 "wants custom resources to lie in etcd as CBOR; kubesim stores them as JSON",
		"apiextensions/TestFieldSelectorDisablement":                              emulation,
		"apiextensions/TestFieldSelectorDropFields":                               emulation,
		"apiextensions/TestNonStructuralSchemaConditionForCRDV1Beta1MigratedData": nonStructural,
		"apiextensions/TestNonStructuralSchemaConditionUpdate":                    nonStructural,
		"apiextensions/TestPruningFromStorage":                                    "writes to the store through the configuration of upstream's own apiextensions server",
		"apiserver/TestCustomResourceValidators/CRD_writes_MUST_fail_for_a_non-structural_schema_containing_x-kubernetes-validations": nonStructural,
		"apiserver/apply/TestApplyFormerlyAtomicFields": "sends managed fields with times of its own; kubesim puts the present on them",
	}
}
