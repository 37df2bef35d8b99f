package remote

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// api is engine.API over HTTP. Whoever a reconciler says it is, the client's user
// writes.
type api struct {
	client kubernetes.Interface

	// mu guards what follows; cond tells of every change to it, and of the end.
	mu   sync.Mutex
	cond *sync.Cond
	// seen has, for each resource that is followed, the newest revision that the
	// informer has brought of each object, by name.
	seen map[engine.Resource]map[types.NamespacedName]sight
}

// sight is the state in which an object was last seen.
type sight struct {
	revision int64
	uid      types.UID
	gone     bool
}

var _ engine.API = (*api)(nil)

func newAPI(client kubernetes.Interface) *api {
	a := &api{client: client, seen: map[engine.Resource]map[types.NamespacedName]sight{}}
	a.cond = sync.NewCond(&a.mu)
	return a
}

func (a *api) follow(r engine.Resource) {
	a.seen[r] = map[types.NamespacedName]sight{}
}

// see notes what an informer has brought.
func (a *api) see(r engine.Resource, what watch.EventType, obj engine.Object) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen[r][nameOf(obj)] = sight{revision: revision(obj), uid: obj.GetUID(), gone: what == watch.Deleted}
	a.cond.Broadcast()
}

// wake makes those look who wait for a context that has ended.
func (a *api) wake() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cond.Broadcast()
}

// await waits until an object of r, if r is followed, is seen as it should be.
func (a *api) await(ctx context.Context, r engine.Resource, key types.NamespacedName, ok func(sight) bool) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	seen, followed := a.seen[r]
	for followed && !ok(seen[key]) {
		if err := ctx.Err(); err != nil {
			return err
		}
		a.cond.Wait()
	}
	return nil
}

// written waits until the state that a request has returned is seen.
func (a *api) written(ctx context.Context, r engine.Resource, obj engine.Object) (engine.Object, error) {
	return obj, a.await(ctx, r, nameOf(obj), func(s sight) bool { return s.revision >= revision(obj) })
}

func nameOf(obj engine.Object) types.NamespacedName {
	return types.NamespacedName{Namespace: obj.GetNamespace(), Name: obj.GetName()}
}

// group returns the client of a resource's group.
func (a *api) group(r engine.Resource) rest.Interface {
	switch group := r.GroupResource().Group; group {
	case "":
		return a.client.CoreV1().RESTClient()
	case "apps":
		return a.client.AppsV1().RESTClient()
	case "batch":
		return a.client.BatchV1().RESTClient()
	case "policy":
		return a.client.PolicyV1().RESTClient()
	default:
		panic(fmt.Sprintf("remote: no client for group %s: add one", group))
	}
}

// object aims a request at one object, or at all of a namespace without a name.
func object(request *rest.Request, r engine.Resource, key types.NamespacedName) *rest.Request {
	request = request.NamespaceIfScoped(key.Namespace, key.Namespace != "").Resource(r.GroupResource().Resource)
	if key.Name != "" {
		request = request.Name(key.Name)
	}
	return request
}

// send carries a request out that is answered with an object.
func send(ctx context.Context, request *rest.Request) (engine.Object, error) {
	obj, err := request.Do(ctx).Get()
	if err != nil {
		return nil, err
	}
	return obj.(engine.Object), nil
}

// Create implements engine.API.
func (a *api) Create(ctx context.Context, _ engine.Identity, r engine.Resource, obj engine.Object) (engine.Object, error) {
	created, err := send(ctx, object(a.group(r).Post(), r, types.NamespacedName{Namespace: obj.GetNamespace()}).Body(obj))
	if err != nil {
		return nil, err
	}
	return a.written(ctx, r, created)
}

// Update implements engine.API.
func (a *api) Update(ctx context.Context, _ engine.Identity, r engine.Resource, subresource string, obj engine.Object) (engine.Object, error) {
	request := object(a.group(r).Put(), r, nameOf(obj)).Body(obj)
	if subresource != "" {
		request = request.SubResource(subresource)
	}
	updated, err := send(ctx, request)
	if err != nil {
		return nil, err
	}
	return a.written(ctx, r, updated)
}

// Delete implements engine.API. What is left of the object, if anything, the
// answer need not say.
func (a *api) Delete(ctx context.Context, _ engine.Identity, r engine.Resource, key types.NamespacedName, opts metav1.DeleteOptions) error {
	if err := object(a.group(r).Delete(), r, key).Body(&opts).Do(ctx).Error(); err != nil {
		return err
	}
	left, err := send(ctx, object(a.group(r).Get(), r, key))
	if apierrors.IsNotFound(err) {
		return a.await(ctx, r, key, func(s sight) bool { return s.gone })
	}
	if err != nil {
		return err
	}
	_, err = a.written(ctx, r, left)
	return err
}

// DeleteCollection implements engine.API. It does not wait for the informers.
func (a *api) DeleteCollection(ctx context.Context, _ engine.Identity, r engine.Resource, namespace string, opts metav1.DeleteOptions) error {
	return object(a.group(r).Delete(), r, types.NamespacedName{Namespace: namespace}).Body(&opts).Do(ctx).Error()
}

// Bind implements engine.API.
func (a *api) Bind(ctx context.Context, _ engine.Identity, binding *corev1.Binding) error {
	if err := a.client.CoreV1().Pods(binding.Namespace).Bind(ctx, binding, metav1.CreateOptions{}); err != nil {
		return err
	}
	bound, err := a.client.CoreV1().Pods(binding.Namespace).Get(ctx, binding.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	_, err = a.written(ctx, engine.Pods, bound)
	return err
}
