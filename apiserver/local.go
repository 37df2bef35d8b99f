package apiserver

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authentication/user"
	genericrequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
)

// Local writes to the registries without HTTP. Defaulting, admission, strategy and
// validation run as for a client's request, and the audit log has it. Encoding,
// authentication, authorization and managed fields are left out.
//
// Deviation: objects that only Local writes carry no managedFields; on a real cluster
// the controllers' writes do.
//
// Writes for which trusts returns true take a shortcut and are not validated again,
// unless users have configured something that may change them.
//
// What it serves may change at any time: see Serve and Withdraw.
type Local struct {
	admit  admission.Interface
	served served
	mapper runtime.EquivalentResourceRegistry
	// last is the newest observed object.
	last atomic.Pointer[observed]
	// limits has the LimitRanges, which change Pods.
	limits cache.Indexer
	// interceptors are what users have configured to change or refuse writes.
	interceptors interceptors
	// check says that trusted writes are validated too; see Config.CheckTrusted.
	check bool
	// audit, if set, logs the writes.
	audit *localAudit
}

// localResource is the entry of one resource in the table of groups.
type localResource struct {
	resource schema.GroupVersionResource
	kind     schema.GroupVersionKind
	versions []string                // the others that are served
	storage  map[string]rest.Storage // by subresource, "" for the resource
	// shortcuts, by subresource, are those for which trusts returns true.
	creates *shortcut
	updates map[string]*shortcut
}

// Object is an object in its external version.
type Object interface {
	metav1.Object
	runtime.Object
}

func (l *Local) find(gr schema.GroupResource, subresource string) (localResource, rest.Storage, error) {
	found, ok := l.served.find(gr)
	if !ok {
		return found, nil, notServed(gr)
	}
	storage, ok := found.storage[subresource]
	if !ok {
		return found, nil, fmt.Errorf("apiserver: resource %s has no subresource %q", gr, subresource)
	}
	if own, ok := storage.(interface {
		GroupVersionResource() schema.GroupVersionResource
	}); ok {
		found.resource = own.GroupVersionResource()
	}
	return found, storage, nil
}

// requestContext returns a context with the user and the request, as the HTTP filters
// would.
func (r localResource) requestContext(ctx context.Context, who user.Info, namespace, name, subresource, verb string) context.Context {
	ctx = genericrequest.WithNamespace(ctx, namespace)
	ctx = genericrequest.WithUser(ctx, who)
	return genericrequest.WithRequestInfo(ctx, &genericrequest.RequestInfo{
		IsResourceRequest: true, Verb: verb, APIPrefix: "apis",
		APIGroup: r.resource.Group, APIVersion: r.resource.Version, Resource: r.resource.Resource,
		Namespace: namespace, Name: name, Subresource: subresource,
	})
}

// interfaces returns what admission must know of the objects of a storage: custom resources
// are in no scheme.
func (l *Local) interfaces(ctx context.Context, storage rest.Storage) (admission.ObjectInterfaces, error) {
	if custom, ok := storage.(interface {
		ObjectInterfaces(context.Context) (admission.ObjectInterfaces, error)
	}); ok {
		return custom.ObjectInterfaces(ctx)
	}
	return l, nil
}

func (l *Local) attributes(r localResource, who user.Info, obj, old runtime.Object, namespace, name, subresource string,
	op admission.Operation, options runtime.Object) admission.Attributes {
	return admission.NewAttributesRecord(obj, old, r.kind, namespace, name, r.resource, subresource, op, options, false, who)
}

// create creates obj.
func (l *Local) create(ctx context.Context, who user.Info, gr schema.GroupResource, obj Object) (Object, error) {
	r, storage, err := l.find(gr, "")
	if err != nil {
		return nil, err
	}
	creater, ok := storage.(rest.Creater)
	if !ok {
		return nil, fmt.Errorf("apiserver: %s cannot be created", gr)
	}
	ctx = r.requestContext(ctx, who, obj.GetNamespace(), obj.GetName(), "", "create")
	about, err := l.interfaces(ctx, storage)
	if err != nil {
		return nil, err
	}
	if r.creates != nil && !l.interceptors.mayChange() {
		internal, admit, err := l.admitted(ctx, r, who, obj, about)
		if err != nil {
			return nil, err
		}
		out, err := r.creates.create(ctx, internal, l.unlimited(r, obj.GetNamespace()), admit)
		if !errors.Is(err, errLongWay) {
			return l.external(out, err)
		}
	}
	internal, admit, err := l.admitted(ctx, r, who, obj, about)
	if err != nil {
		return nil, err
	}
	out, err := creater.Create(ctx, internal, admit, &metav1.CreateOptions{})
	return externalObject(out, err)
}

// admitted copies obj and returns the copy after mutating admission, together with a
// function that calls validating admission.
func (l *Local) admitted(ctx context.Context, r localResource, who user.Info, obj Object, about admission.ObjectInterfaces) (runtime.Object, rest.ValidateObjectFunc, error) {
	internal, err := internalize(obj)
	if err != nil {
		return nil, nil, err
	}
	attributes := l.attributes(r, who, internal, nil, obj.GetNamespace(), obj.GetName(), "", admission.Create, &metav1.CreateOptions{})
	if err := l.mutate(ctx, attributes, about); err != nil {
		return nil, nil, err
	}
	return internal, rest.AdmissionToValidateObjectFunc(l.admit, attributes, about), nil
}

// unlimited reports whether a new object of r is not a Pod that a LimitRange of its
// namespace may have changed. Such a Pod differs from its template.
func (l *Local) unlimited(r localResource, namespace string) bool {
	if r.resource.GroupResource() != (schema.GroupResource{Resource: "pods"}) {
		return true
	}
	limits, err := l.limits.IndexKeys(cache.NamespaceIndex, namespace)
	return err == nil && len(limits) == 0
}

// exists reports whether there is an object with that name.
func (l *Local) exists(ctx context.Context, who user.Info, gr schema.GroupResource, namespace, name string) bool {
	_, err := l.get(ctx, who, gr, namespace, name)
	return err == nil
}

// get returns an object, which must not be changed.
func (l *Local) get(ctx context.Context, who user.Info, gr schema.GroupResource, namespace, name string) (Object, error) {
	r, storage, err := l.find(gr, "")
	if err != nil {
		return nil, err
	}
	getter, ok := storage.(rest.Getter)
	if !ok {
		return nil, fmt.Errorf("apiserver: %s cannot be read", gr)
	}
	return externalObject(getter.Get(r.requestContext(ctx, who, namespace, name, "", "get"), name, &metav1.GetOptions{}))
}

// bind creates a Pod's binding subresource.
func (l *Local) bind(ctx context.Context, who user.Info, binding *corev1.Binding) error {
	pods := schema.GroupResource{Resource: "pods"}
	r, storage, err := l.find(pods, "binding")
	if err != nil {
		return err
	}
	internal, err := internalize(binding)
	if err != nil {
		return err
	}
	ctx = r.requestContext(ctx, who, binding.Namespace, binding.Name, "binding", "create")
	options := &metav1.CreateOptions{}
	attributes := l.attributes(r, who, internal, nil, binding.Namespace, binding.Name, "binding", admission.Create, options)
	if err := l.mutate(ctx, attributes, l); err != nil {
		return err
	}
	validate := rest.AdmissionToValidateObjectFunc(l.admit, attributes, l)
	_, err = storage.(rest.NamedCreater).Create(ctx, binding.Name, internal, validate, options)
	return err
}

// token creates a service account's token subresource and returns the token.
func (l *Local) token(ctx context.Context, who user.Info, namespace, account string, request *authenticationv1.TokenRequest) (string, error) {
	r, storage, err := l.find(schema.GroupResource{Resource: "serviceaccounts"}, "token")
	if err != nil {
		return "", err
	}
	internal, err := internalize(request)
	if err != nil {
		return "", err
	}
	ctx = r.requestContext(ctx, who, namespace, account, "token", "create")
	out, err := storage.(rest.NamedCreater).Create(ctx, account, internal, rest.ValidateAllObjectFunc, &metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	external, err := externalize(out)
	if err != nil {
		return "", err
	}
	return external.(*authenticationv1.TokenRequest).Status.Token, nil
}

// update replaces obj, or one of its subresources.
func (l *Local) update(ctx context.Context, who user.Info, gr schema.GroupResource, subresource string, obj Object) (Object, error) {
	if subresource == "scale" {
		return l.updateScale(ctx, who, gr, obj)
	}
	r, storage, err := l.find(gr, subresource)
	if err != nil {
		return nil, err
	}
	updater, ok := storage.(rest.Updater)
	if !ok {
		return nil, fmt.Errorf("apiserver: %s/%s cannot be updated", gr, subresource)
	}
	namespace, name := obj.GetNamespace(), obj.GetName()
	ctx = r.requestContext(ctx, who, namespace, name, subresource, "update")
	options := &metav1.UpdateOptions{}
	update := given{obj: obj}
	var validateCreate rest.ValidateObjectFunc
	var validateUpdate rest.ValidateObjectUpdateFunc
	// No plugin of upstream's own looks at a status.
	if subresource != "status" || l.check || l.interceptors.mayLook() {
		about, err := l.interfaces(ctx, storage)
		if err != nil {
			return nil, err
		}
		attributes := func(obj, old runtime.Object, op admission.Operation) admission.Attributes {
			return l.attributes(r, who, obj, old, namespace, name, subresource, op, options)
		}
		update.admit = func(ctx context.Context, obj, old runtime.Object) error {
			return l.mutate(ctx, attributes(obj, old, admission.Update), about)
		}
		validateCreate = rest.AdmissionToValidateObjectFunc(l.admit, attributes(nil, nil, admission.Create), about)
		validateUpdate = rest.AdmissionToValidateObjectUpdateFunc(l.admit, attributes(nil, nil, admission.Update), about)
	}
	if s := r.updates[subresource]; s != nil && !l.interceptors.mayChange() {
		out, err := s.update(ctx, name, update, validateUpdate)
		if !errors.Is(err, errLongWay) {
			return l.external(out, err)
		}
	}
	out, _, err := updater.Update(ctx, name, update, validateCreate, validateUpdate, false, options)
	if err != nil {
		return nil, err
	}
	return Lean(out)
}

// delete deletes an object.
func (l *Local) delete(ctx context.Context, who user.Info, gr schema.GroupResource, key types.NamespacedName, options metav1.DeleteOptions) error {
	r, storage, err := l.find(gr, "")
	if err != nil {
		return err
	}
	deleter, ok := storage.(rest.GracefulDeleter)
	if !ok {
		return fmt.Errorf("apiserver: %s cannot be deleted", gr)
	}
	ctx = r.requestContext(ctx, who, key.Namespace, key.Name, "", "delete")
	about, err := l.interfaces(ctx, storage)
	if err != nil {
		return err
	}
	attributes := l.attributes(r, who, nil, nil, key.Namespace, key.Name, "", admission.Delete, &options)
	_, _, err = deleter.Delete(ctx, key.Name, rest.AdmissionToValidateObjectDeleteFunc(l.admit, attributes, about), &options)
	return err
}

// deleteCollection deletes every object of gr in namespace.
func (l *Local) deleteCollection(ctx context.Context, who user.Info, gr schema.GroupResource, namespace string, options metav1.DeleteOptions) error {
	r, storage, err := l.find(gr, "")
	if err != nil {
		return err
	}
	deleter, ok := storage.(rest.CollectionDeleter)
	if !ok {
		return fmt.Errorf("apiserver: %s has no delete-collection", gr)
	}
	ctx = r.requestContext(ctx, who, namespace, "", "", "deletecollection")
	about, err := l.interfaces(ctx, storage)
	if err != nil {
		return err
	}
	attributes := l.attributes(r, who, nil, nil, namespace, "", "", admission.Delete, &options)
	_, err = deleter.DeleteCollection(ctx, rest.AdmissionToValidateObjectDeleteFunc(l.admit, attributes, about), &options, &internalversion.ListOptions{})
	return err
}

func (l *Local) mutate(ctx context.Context, attributes admission.Attributes, about admission.ObjectInterfaces) error {
	mutator, ok := l.admit.(admission.MutationInterface)
	if !ok || !mutator.Handles(attributes.GetOperation()) {
		return nil
	}
	return mutator.Admit(ctx, attributes, about)
}

// observed is an object of the store in both versions.
type observed struct {
	internal runtime.Object
	external Object
}

// observed records the newest commit.
func (l *Local) observed(internal runtime.Object, external Object) {
	l.last.Store(&observed{internal, external})
}

// external is externalObject for what a shortcut has just written and observed.
func (l *Local) external(out runtime.Object, err error) (Object, error) {
	if last := l.last.Load(); err == nil && last != nil && last.internal == out {
		return last.external, nil
	}
	return externalObject(out, err)
}

func externalObject(out runtime.Object, err error) (Object, error) {
	if err != nil {
		return nil, err
	}
	external, err := externalize(out)
	if err != nil {
		return nil, err
	}
	obj, ok := external.(Object)
	if !ok {
		return nil, fmt.Errorf("apiserver: %T has no metadata", external)
	}
	return obj, nil
}

// Local is the admission.ObjectInterfaces of what is in the scheme.
var _ admission.ObjectInterfaces = (*Local)(nil)

// GetObjectCreater implements admission.ObjectInterfaces.
func (l *Local) GetObjectCreater() runtime.ObjectCreater { return legacyscheme.Scheme }

// GetObjectTyper implements admission.ObjectInterfaces.
func (l *Local) GetObjectTyper() runtime.ObjectTyper { return legacyscheme.Scheme }

// GetObjectDefaulter implements admission.ObjectInterfaces.
func (l *Local) GetObjectDefaulter() runtime.ObjectDefaulter { return legacyscheme.Scheme }

// GetObjectConvertor implements admission.ObjectInterfaces.
func (l *Local) GetObjectConvertor() runtime.ObjectConvertor { return legacyscheme.Scheme }

// GetEquivalentResourceMapper implements admission.ObjectInterfaces.
func (l *Local) GetEquivalentResourceMapper() runtime.EquivalentResourceMapper { return l.mapper }
