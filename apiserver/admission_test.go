package apiserver

import (
	"slices"
	"testing"
)

// defaultPlugins are the admission plugins that a kube-apiserver v1.37.2 with default
// flags says that it has loaded, in its order.
func defaultPlugins() []string {
	return []string{
		"NamespaceLifecycle", "LimitRanger", "ServiceAccount", "TaintNodesByCondition", "PodSecurity", "Priority",
		"DefaultTolerationSeconds", "DefaultStorageClass", "StorageObjectInUseProtection", "PodGroupProtection",
		"PersistentVolumeClaimResize", "RuntimeClass", "CertificateApproval", "CertificateSigning",
		"ClusterTrustBundleAttest", "CertificateSubjectRestriction", "DefaultIngressClass", "PodTopologyLabels",
		"NodeDeclaredFeatureValidator", "PodResizeValidator",
		"MutatingAdmissionPolicy", "MutatingAdmissionWebhook", "ValidatingAdmissionPolicy", "ValidatingAdmissionWebhook",
		"ResourceQuota",
	}
}

func TestAdmissionPluginsAreUpstreams(t *testing.T) {
	names, err := enabledPlugins(admissionPlugins(nil, nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := defaultPlugins(); !slices.Equal(names, want) {
		t.Errorf("the chain is\n%v, want\n%v", names, want)
	}
}

func TestAPluginThatDoesNotExistCannotBeDisabled(t *testing.T) {
	if _, err := enabledPlugins(admissionPlugins(nil, nil), []string{"PodSecurity", "PodSecurityPolicy"}); err == nil {
		t.Error("PodSecurityPolicy was disabled, which is no plugin")
	}
	names, err := enabledPlugins(admissionPlugins(nil, nil), []string{"PodSecurity"})
	if err != nil || slices.Contains(names, "PodSecurity") {
		t.Errorf("without PodSecurity the chain is %v, %v", names, err)
	}
}
