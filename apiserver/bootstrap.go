package apiserver

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apiserver/pkg/authentication/user"
	schedulingv1 "k8s.io/kubernetes/pkg/apis/scheduling/v1"
	"k8s.io/utils/ptr"

	"github.com/kubesim-dev/kubesim/apiserver/plugin"
	"github.com/kubesim-dev/kubesim/apiserver/registry"
)

// Bootstrap writes what the API server and the controllers of a real cluster have
// written before the first client connects: the system namespaces, the RBAC policy, the
// system priority classes and the kubernetes Service. It also writes the default
// StorageClass, as kind does. Existing objects stay as they are, but for the
// policy, see policy.
//
// Upstream does this in post-start hooks that race with each other. Here it runs in one
// fixed order, so revisions are the same every time.
//
// Deviation: warn is told what cannot be written to an old cluster. The next start tries
// again; upstream's hooks do at once.
func (s *Server) Bootstrap(ctx context.Context, warn func(text string)) error {
	b := bootstrap{local: s.local, who: serverUser(), warn: warn}
	b.isOld = b.local.exists(ctx, b.who, schema.GroupResource{Resource: "namespaces"}, "", metav1.NamespaceDefault)
	if err := s.groups.numbers.outside.check(s.cfg.Services, s.groups.numbers.ips); err != nil {
		return err
	}
	now := s.cfg.Clock.Now()
	b.namespaces(ctx)
	b.policy(ctx)
	for _, class := range schedulingv1.SystemPriorityClasses() {
		b.create(ctx, schema.GroupResource{Group: "scheduling.k8s.io", Resource: "priorityclasses"}, class.DeepCopy())
	}
	b.flows(ctx)
	b.serviceCIDR(ctx, s.cfg.Services, now)
	records := addressRecords{b.local, b.who, s.cfg.Clock}
	b.kubernetesService(ctx, records, s.cfg.Services.Kubernetes.String(), s.cfg.AdvertiseAddress.String())
	b.tokenTracking(ctx, now)
	b.apiServices(ctx, s.versions)
	if !b.isOld { // if it is deleted later, it is not wanted back
		b.create(registry.WithUID(ctx, standardClassUID), schema.GroupResource{Group: storagev1.GroupName, Resource: "storageclasses"}, standardClass())
	}
	if b.err != nil {
		return fmt.Errorf("apiserver: the cluster's first objects: %w", b.err)
	}
	s.founded.Store(true)
	return nil
}

// serverUser is the API server itself.
func serverUser() user.Info {
	return &user.DefaultInfo{Name: user.APIServerUser, Groups: []string{user.SystemPrivilegedGroup, user.AllAuthenticated}}
}

// bootstrap remembers the first error and does nothing after it, unless the cluster is
// old: then it says so and goes on, as upstream's hooks do. Whatever a user has stored,
// such as a webhook that cannot be reached, must not keep the server from starting.
type bootstrap struct {
	local *Local
	who   user.Info
	isOld bool
	warn  func(text string)
	err   error
}

// failed notes that something could not be written.
func (b *bootstrap) failed(err error) {
	switch {
	case err == nil || b.err != nil:
	case b.isOld:
		b.warn(fmt.Sprintf("one of the cluster's first objects cannot be written; the next start tries again: %v", err))
	default:
		b.err = err
	}
}

func (b *bootstrap) create(ctx context.Context, gr schema.GroupResource, obj Object) {
	if b.err == nil {
		b.failed(b.add(ctx, gr, obj))
	}
}

// add creates an object unless it is there.
func (b *bootstrap) add(ctx context.Context, gr schema.GroupResource, obj Object) error {
	if b.local.exists(ctx, b.who, gr, obj.GetNamespace(), obj.GetName()) {
		return nil
	}
	_, err := b.local.Create(ctx, b.who, gr, obj)
	// Another server of the cluster may begin at the same time. If it was faster, the
	// error need not be AlreadyExists: a Service's address is taken.
	if err != nil && !b.local.exists(ctx, b.who, gr, obj.GetNamespace(), obj.GetName()) {
		return fmt.Errorf("%s %q: %w", gr, obj.GetName(), err)
	}
	return nil
}

// namespaces follows SystemNamespaces in pkg/controlplane/apiserver/options
// v1.37.2.
func (b *bootstrap) namespaces(ctx context.Context) {
	for _, name := range []string{metav1.NamespaceSystem, metav1.NamespacePublic, corev1.NamespaceNodeLease, metav1.NamespaceDefault} {
		b.create(ctx, schema.GroupResource{Resource: "namespaces"}, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
}

// The kubernetes Service, as kubeadm sets it up. Source:
// pkg/controlplane/controller/kubernetesservice v1.37.2.
const (
	kubernetesServiceName = "kubernetes"
	kubernetesServicePort = 443
	kubernetesTargetPort  = 6443
)

// kubernetesService writes the Service through which Pods find the API server, and its
// endpoint.
func (b *bootstrap) kubernetesService(ctx context.Context, records addressRecords, clusterIP, address string) {
	labels := map[string]string{"provider": "kubernetes", "component": "apiserver"}
	object := metav1.ObjectMeta{Name: kubernetesServiceName, Namespace: metav1.NamespaceDefault, Labels: labels}
	b.addressed(ctx, records, &corev1.Service{
		ObjectMeta: object,
		Spec: corev1.ServiceSpec{
			ClusterIP: clusterIP, Type: corev1.ServiceTypeClusterIP, SessionAffinity: corev1.ServiceAffinityNone,
			Ports: []corev1.ServicePort{{
				Name: "https", Protocol: corev1.ProtocolTCP, Port: kubernetesServicePort, TargetPort: intstr.FromInt32(kubernetesTargetPort),
			}},
		},
	})
	object.Labels = map[string]string{discoveryv1.LabelSkipMirror: "true"}
	b.create(ctx, schema.GroupResource{Resource: "endpoints"}, &corev1.Endpoints{ //nolint:staticcheck // a real cluster has it too
		ObjectMeta: object,
		Subsets: []corev1.EndpointSubset{{ //nolint:staticcheck // as above
			Addresses: []corev1.EndpointAddress{{IP: address}},
			Ports:     []corev1.EndpointPort{{Name: "https", Port: kubernetesTargetPort, Protocol: corev1.ProtocolTCP}},
		}},
	})
	object.Labels = map[string]string{discoveryv1.LabelServiceName: kubernetesServiceName}
	b.create(ctx, schema.GroupResource{Group: discoveryv1.GroupName, Resource: "endpointslices"}, &discoveryv1.EndpointSlice{
		ObjectMeta:  object,
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints: []discoveryv1.Endpoint{{
			Addresses: []string{address}, Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(true)},
		}},
		Ports: []discoveryv1.EndpointPort{{
			Name: ptr.To("https"), Port: ptr.To[int32](kubernetesTargetPort), Protocol: ptr.To(corev1.ProtocolTCP),
		}},
	})
}

// standardClassUID is the UID of the default StorageClass in every cluster.
const standardClassUID = "5d1a4a7e-61d6-4b9c-a9a3-0c6f6f1f9b52"

// standardClass is the StorageClass of a kind cluster. Source: kind's
// pkg/build/nodeimage, defaultStorageManifest.
func standardClass() *storagev1.StorageClass {
	return &storagev1.StorageClass{
		ObjectMeta:        metav1.ObjectMeta{Name: "standard", Annotations: map[string]string{plugin.DefaultClassAnnotation: "true"}},
		Provisioner:       "rancher.io/local-path",
		ReclaimPolicy:     ptr.To(corev1.PersistentVolumeReclaimDelete),
		VolumeBindingMode: ptr.To(storagev1.VolumeBindingWaitForFirstConsumer),
	}
}
