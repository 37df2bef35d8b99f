package apiserver

import (
	"context"
	"net"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/authentication/user"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/util/dryrun"
	"k8s.io/kubernetes/pkg/apis/core"
	"k8s.io/kubernetes/pkg/registry/core/service/ipallocator"

	"github.com/kubesim-dev/kubesim/apiserver/registry"
)

// addressRecords keeps an IPAddress for each cluster IP of a Service, as upstream's
// allocator does: it is written before the Service, and deleted after it. What is wrong all
// the same, controllers/ipallocator puts right.
type addressRecords struct {
	local *Local
	who   user.Info
	clock registry.Clock
}

func ipAddresses() schema.GroupResource {
	return schema.GroupResource{Group: networkingv1.GroupName, Resource: "ipaddresses"}
}

// attach makes the store of Services keep the records.
func (r addressRecords) attach(services *genericregistry.Store) {
	create, update, deleted := services.BeginCreate, services.BeginUpdate, services.AfterDelete
	services.BeginCreate = func(ctx context.Context, obj runtime.Object, options *metav1.CreateOptions) (genericregistry.FinishFunc, error) {
		finish, err := create(ctx, obj, options)
		if err != nil || dryrun.IsDryRun(options.DryRun) {
			return finish, err
		}
		return r.begin(ctx, finish, obj.(*core.Service), &core.Service{})
	}
	services.BeginUpdate = func(ctx context.Context, obj, old runtime.Object, options *metav1.UpdateOptions) (genericregistry.FinishFunc, error) {
		finish, err := update(ctx, obj, old, options)
		if err != nil || dryrun.IsDryRun(options.DryRun) {
			return finish, err
		}
		return r.begin(ctx, finish, obj.(*core.Service), old.(*core.Service))
	}
	services.AfterDelete = func(obj runtime.Object, options *metav1.DeleteOptions) {
		deleted(obj, options)
		if !dryrun.IsDryRun(options.DryRun) {
			r.forget(context.Background(), clusterIPs(obj.(*core.Service)))
		}
	}
}

// begin records what service has more than old. What it has less is forgotten when the
// write has succeeded.
func (r addressRecords) begin(ctx context.Context, finish genericregistry.FinishFunc, service, old *core.Service) (genericregistry.FinishFunc, error) {
	now, before := clusterIPs(service), clusterIPs(old)
	var recorded []string
	for _, ip := range now {
		if slices.Contains(before, ip) {
			continue
		}
		if err := r.record(ctx, service, ip); err != nil {
			finish(ctx, false)
			r.forget(ctx, recorded)
			return nil, err
		}
		recorded = append(recorded, ip)
	}
	return func(ctx context.Context, success bool) {
		finish(ctx, success)
		if !success {
			r.forget(ctx, recorded)
			return
		}
		r.forget(ctx, slices.DeleteFunc(before, func(ip string) bool { return slices.Contains(now, ip) }))
	}, nil
}

// record writes an IPAddress. Upstream: createIPAddress, k8s.io/kubernetes
// pkg/registry/core/service/ipallocator v1.37.2.
func (r addressRecords) record(ctx context.Context, service *core.Service, ip string) error {
	// The Service has no UID of the cluster's yet.
	uid := derivedUID(ipAddresses().String(), ip, service.Namespace, service.Name, r.clock.Now().UTC().String())
	ctx = registry.WithUID(ctx, uid)
	_, err := r.local.Create(ctx, r.who, ipAddresses(), &networkingv1.IPAddress{
		ObjectMeta: metav1.ObjectMeta{Name: ip, Labels: map[string]string{
			networkingv1.LabelIPAddressFamily: string(core.IPv4Protocol), networkingv1.LabelManagedBy: ipallocator.ControllerName,
		}},
		Spec: networkingv1.IPAddressSpec{ParentRef: &networkingv1.ParentReference{
			Resource: "services", Namespace: service.Namespace, Name: service.Name,
		}},
	})
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	return apierrors.NewInvalid(core.Kind("Service"), service.Name, field.ErrorList{field.Invalid(
		field.NewPath("spec", "clusterIPs"), service.Spec.ClusterIPs, "failed to allocate IP "+ip+": "+ipallocator.ErrAllocated.Error())})
}

// forget deletes IPAddresses. As upstream, it reports no error: the Service is gone. What
// is left is deleted a minute later.
func (r addressRecords) forget(ctx context.Context, ips []string) {
	for _, ip := range ips {
		_ = r.local.Delete(ctx, r.who, ipAddresses(), types.NamespacedName{Name: ip}, metav1.DeleteOptions{})
	}
}

// clusterIPs are a Service's addresses, without "None".
func clusterIPs(service *core.Service) []string {
	var out []string
	for _, ip := range service.Spec.ClusterIPs {
		if net.ParseIP(ip) != nil {
			out = append(out, ip)
		}
	}
	return out
}

// A Service whose address is recorded without it is tried again every retryEvery, for
// as long as another server may need to write it. Unit: wall time.
const (
	retryEvery = 50 * time.Millisecond
	retryFor   = time.Second
)

// addressed creates a Service with an address, which may be recorded already: by another
// server that is about to create the Service, or by one that died before it could.
func (b *bootstrap) addressed(ctx context.Context, records addressRecords, service *corev1.Service) {
	if b.err != nil {
		return
	}
	gr := schema.GroupResource{Resource: "services"}
	err := b.add(ctx, gr, service.DeepCopy())
	again := func(ctx context.Context) (bool, error) {
		err = b.add(ctx, gr, service.DeepCopy())
		return !apierrors.IsInvalid(err), nil
	}
	if apierrors.IsInvalid(err) && records.of(ctx, service) {
		_ = wait.PollUntilContextTimeout(ctx, retryEvery, retryFor, true, again)
	}
	if apierrors.IsInvalid(err) && records.of(ctx, service) {
		records.forget(ctx, []string{service.Spec.ClusterIP})
		_ = wait.PollUntilContextTimeout(ctx, retryEvery, retryFor, true, again)
	}
	b.failed(err)
}

// of reports whether the address of service is recorded as its own.
func (r addressRecords) of(ctx context.Context, service *corev1.Service) bool {
	obj, err := r.local.get(ctx, r.who, ipAddresses(), "", service.Spec.ClusterIP)
	if err != nil {
		return false
	}
	parent := obj.(*networkingv1.IPAddress).Spec.ParentRef
	return parent != nil && parent.Resource == "services" && parent.Namespace == service.Namespace && parent.Name == service.Name
}
