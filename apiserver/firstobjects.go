package apiserver

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	flowcontrolbootstrap "k8s.io/apiserver/pkg/apis/flowcontrol/bootstrap"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"

	"github.com/kubesim-dev/kubesim/apiserver/registry"
)

// createOwn creates an object with a UID that is the same in every cluster: what a new
// release adds to a new cluster must not change the names that a seed gives.
func (b *bootstrap) createOwn(ctx context.Context, gr schema.GroupResource, obj Object) {
	b.create(registry.WithUID(ctx, derivedUID(gr.String(), obj.GetNamespace(), obj.GetName())), gr, obj)
}

// derivedUID is the UID of an object that is created because of something else.
func derivedUID(of ...string) types.UID {
	return types.UID(uuid.NewSHA1(uuid.NameSpaceOID, []byte(strings.Join(of, "\n"))).String())
}

// flows writes upstream's flow schemas and priority levels, in upstream's order. Upstream:
// ensure in k8s.io/kubernetes pkg/registry/flowcontrol/rest v1.37.2.
//
// Deviation: they limit nothing, so none gets the condition Dangling.
func (b *bootstrap) flows(ctx context.Context) {
	of := func(resource string) schema.GroupResource {
		return schema.GroupResource{Group: flowcontrolv1.GroupName, Resource: resource}
	}
	write := func(levels []*flowcontrolv1.PriorityLevelConfiguration, schemas []*flowcontrolv1.FlowSchema) {
		for _, level := range levels {
			level = level.DeepCopy()
			metav1.SetMetaDataAnnotation(&level.ObjectMeta, flowcontrolv1.AutoUpdateAnnotationKey, "true")
			b.createOwn(ctx, of("prioritylevelconfigurations"), level)
		}
		for _, flow := range schemas {
			flow = flow.DeepCopy()
			metav1.SetMetaDataAnnotation(&flow.ObjectMeta, flowcontrolv1.AutoUpdateAnnotationKey, "true")
			b.createOwn(ctx, of("flowschemas"), flow)
		}
	}
	write(flowcontrolbootstrap.SuggestedPriorityLevelConfigurations, flowcontrolbootstrap.SuggestedFlowSchemas)
	write(flowcontrolbootstrap.MandatoryPriorityLevelConfigurations, flowcontrolbootstrap.MandatoryFlowSchemas)
}

// The default ServiceCIDR. Source: pkg/controlplane/controller/defaultservicecidr, and
// the finalizer and the message of pkg/controller/servicecidrs, v1.37.2.
const (
	defaultServiceCIDR   = "kubernetes"
	serviceCIDRFinalizer = "networking.k8s.io/service-cidr-finalizer"
	serviceCIDRReady     = "Kubernetes Service CIDR is ready"
)

// serviceCIDR writes the range of Services' addresses, as an object, as it is when its
// controllers have seen it. Its readiness comes first on a real cluster too, so that it
// gives addresses.
//
// An older one stays as it is. Upstream tells then in an Event,
// KubernetesDefaultServiceCIDRInconsistent.
func (b *bootstrap) serviceCIDR(ctx context.Context, valid ServiceRange, now time.Time) {
	gr := schema.GroupResource{Group: networkingv1.GroupName, Resource: "servicecidrs"}
	if b.err != nil {
		return
	}
	if obj, err := b.local.get(ctx, b.who, gr, "", defaultServiceCIDR); err == nil {
		if old := obj.(*networkingv1.ServiceCIDR).Spec.CIDRs; !slices.Equal(old, []string{valid.String()}) {
			b.warn(fmt.Sprintf("The default ServiceCIDR %v does not match --service-cluster-ip-range %s: Services still get addresses of %v; "+
				"create a ServiceCIDR of the other range", old, valid.String(), old))
		}
		return
	}
	cidr := &networkingv1.ServiceCIDR{
		ObjectMeta: metav1.ObjectMeta{Name: defaultServiceCIDR, Finalizers: []string{serviceCIDRFinalizer}},
		Spec:       networkingv1.ServiceCIDRSpec{CIDRs: []string{valid.String()}},
	}
	b.createOwn(ctx, gr, cidr)
	cidr.Status.Conditions = []metav1.Condition{{
		Type: networkingv1.ServiceCIDRConditionReady, Status: metav1.ConditionTrue, Message: serviceCIDRReady,
		LastTransitionTime: metav1.NewTime(now),
	}}
	if b.err == nil {
		_, err := b.local.Update(ctx, b.who, gr, "status", cidr)
		b.failed(err)
	}
}

// automanagedLabel says who keeps an APIService. onStart is what upstream's
// autoregister controller writes there for the groups of the server itself.
const (
	automanagedLabel = "kube-aggregator.kubernetes.io/automanaged"
	onStart          = "onstart"
)

// apiServices writes an APIService for each group version of the table. Upstream:
// apiServicesToRegister, k8s.io/kubernetes pkg/controlplane/apiserver v1.37.2.
//
// Deviation: an APIService that is deleted comes back when the server starts. Until then,
// its group version is served all the same.
func (b *bootstrap) apiServices(ctx context.Context, versions []schema.GroupVersion) {
	slices.SortFunc(versions, func(a, b schema.GroupVersion) int { return strings.Compare(a.String(), b.String()) })
	for _, gv := range versions {
		if gv.Group == apiregistrationv1.GroupName {
			continue // upstream's aggregator has no APIService of its own either
		}
		p := priorityOf(gv)
		b.createOwn(ctx, schema.GroupResource{Group: apiregistrationv1.GroupName, Resource: "apiservices"}, &apiregistrationv1.APIService{
			ObjectMeta: metav1.ObjectMeta{Name: gv.Version + "." + gv.Group, Labels: map[string]string{automanagedLabel: onStart}},
			Spec:       apiregistrationv1.APIServiceSpec{Group: gv.Group, Version: gv.Version, GroupPriorityMinimum: p.group, VersionPriority: p.version},
		})
	}
}

// tokenTracking writes since when the API server records the use of service-account
// tokens from Secrets. Source: pkg/controlplane/controller/legacytokentracking v1.37.2.
func (b *bootstrap) tokenTracking(ctx context.Context, now time.Time) {
	b.createOwn(ctx, schema.GroupResource{Resource: "configmaps"}, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "kube-apiserver-legacy-service-account-token-tracking", Namespace: metav1.NamespaceSystem},
		Data:       map[string]string{"since": now.UTC().Format(time.DateOnly)},
	})
}
