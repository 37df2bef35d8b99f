package apiserver

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	auditinternal "k8s.io/apiserver/pkg/apis/audit"
	"k8s.io/apiserver/pkg/audit"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	genericapifilters "k8s.io/apiserver/pkg/endpoints/filters"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"
	genericrequest "k8s.io/apiserver/pkg/endpoints/request"

	"github.com/kubesim-dev/kubesim/apiserver/webhook"
)

// Upstream's controllers and kubelets are clients, so the audit log has their writes. Here
// each write of Local passes upstream's filter as the request that a client would make.

// Create creates obj.
func (l *Local) Create(ctx context.Context, who user.Info, gr schema.GroupResource, obj Object) (out Object, err error) {
	err = l.audit.log(ctx, l, write{who: who, verb: "create", gr: gr, namespace: obj.GetNamespace(), obj: obj}, func(ctx context.Context) (runtime.Object, error) {
		out, err = l.create(ctx, who, gr, obj)
		return out, err
	})
	return out, err
}

// Bind creates a Pod's binding subresource.
func (l *Local) Bind(ctx context.Context, who user.Info, binding *corev1.Binding) error {
	asked := write{who: who, verb: "create", gr: schema.GroupResource{Resource: "pods"}, subresource: "binding", namespace: binding.Namespace, name: binding.Name, obj: binding}
	return l.audit.log(ctx, l, asked, func(ctx context.Context) (runtime.Object, error) { return nil, l.bind(ctx, who, binding) })
}

// Token creates a service account's token subresource and returns the token. The log never
// has it.
func (l *Local) Token(ctx context.Context, who user.Info, namespace, account string, request *authenticationv1.TokenRequest) (token string, err error) {
	asked := write{who: who, verb: "create", gr: schema.GroupResource{Resource: "serviceaccounts"}, subresource: "token", namespace: namespace, name: account, obj: request}
	err = l.audit.log(ctx, l, asked, func(ctx context.Context) (runtime.Object, error) {
		token, err = l.token(ctx, who, namespace, account, request)
		return nil, err
	})
	return token, err
}

// Update replaces obj, or one of its subresources.
func (l *Local) Update(ctx context.Context, who user.Info, gr schema.GroupResource, subresource string, obj Object) (out Object, err error) {
	asked := write{who: who, verb: "update", gr: gr, subresource: subresource, namespace: obj.GetNamespace(), name: obj.GetName(), obj: obj}
	err = l.audit.log(ctx, l, asked, func(ctx context.Context) (runtime.Object, error) {
		out, err = l.update(ctx, who, gr, subresource, obj)
		return out, err
	})
	return out, err
}

// Delete deletes an object.
func (l *Local) Delete(ctx context.Context, who user.Info, gr schema.GroupResource, key types.NamespacedName, options metav1.DeleteOptions) error {
	asked := write{who: who, verb: "delete", gr: gr, namespace: key.Namespace, name: key.Name, obj: &options}
	return l.audit.log(ctx, l, asked, func(ctx context.Context) (runtime.Object, error) {
		return nil, l.delete(ctx, who, gr, key, options)
	})
}

// DeleteCollection deletes every object of gr in namespace.
func (l *Local) DeleteCollection(ctx context.Context, who user.Info, gr schema.GroupResource, namespace string, options metav1.DeleteOptions) error {
	asked := write{who: who, verb: "deletecollection", gr: gr, namespace: namespace, obj: &options}
	return l.audit.log(ctx, l, asked, func(ctx context.Context) (runtime.Object, error) {
		return nil, l.deleteCollection(ctx, who, gr, namespace, options)
	})
}

// write is what a controller or a kubelet asks for.
type write struct {
	who                          user.Info
	verb                         string
	gr                           schema.GroupResource
	subresource, namespace, name string
	obj                          runtime.Object
}

// method returns the HTTP method of the verb.
func (w write) method() string {
	switch w.verb {
	case "create":
		return http.MethodPost
	case "update":
		return http.MethodPut
	}
	return http.MethodDelete
}

// info returns what the API server's filters know of the request.
func (w write) info(gvr schema.GroupVersionResource) *genericrequest.RequestInfo {
	info := &genericrequest.RequestInfo{
		IsResourceRequest: true, Verb: w.verb, APIPrefix: "apis", APIGroup: gvr.Group, APIVersion: gvr.Version,
		Resource: gvr.Resource, Subresource: w.subresource, Namespace: w.namespace, Name: w.name,
	}
	parts := []string{"/apis", gvr.Group, gvr.Version}
	if gvr.Group == "" {
		info.APIPrefix, parts = "api", []string{"/api", gvr.Version}
	}
	if w.namespace != "" && gvr.Resource != "namespaces" {
		parts = append(parts, "namespaces", w.namespace)
	}
	info.Path = path.Join(append(parts, gvr.Resource, w.name, w.subresource)...)
	return info
}

// localAudit logs writes of Local.
type localAudit struct {
	*auditor
	rules      audit.PolicyRuleEvaluator
	authorizer authorizer.Authorizer
	serializer runtime.NegotiatedSerializer
}

// log does what is asked, as upstream's filter does for a request. A write that begins anew
// because a webhook answers later is not logged before.
//
// Deviation: controllers and kubelets replace objects where upstream's patch them, and read
// without a request. Their writes have no client, no address and no query.
func (a *localAudit) log(ctx context.Context, l *Local, w write, do func(context.Context) (runtime.Object, error)) error {
	if a == nil {
		_, err := do(ctx)
		return err
	}
	r, ok := l.served.find(w.gr)
	if !ok {
		return notServed(w.gr)
	}
	info := w.info(r.resource)
	req := (&http.Request{Method: w.method(), URL: &url.URL{Path: info.Path}, RequestURI: info.Path, Header: http.Header{}}).WithContext(
		genericrequest.WithReceivedTimestamp(genericrequest.WithUser(genericrequest.WithRequestInfo(ctx, info), w.who), a.clock.Now()))
	id := a.begin(req)
	defer a.end(id)
	req.Header.Set(auditinternal.HeaderAuditID, string(id))
	var err error
	events := &heldEvents{}
	inner := http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		err = a.carryOut(rw, req, r, w, do)
	})
	genericapifilters.WithAuditInit(genericapifilters.WithAudit(inner, events, a.rules, nil)).ServeHTTP(httptest.NewRecorder(), req)
	if !errors.Is(err, webhook.ErrLater) {
		a.ProcessEvents(events.all...)
	}
	return err
}

// carryOut does what is asked, and says in the log what came of it.
func (a *localAudit) carryOut(rw http.ResponseWriter, req *http.Request, r localResource, w write, do func(context.Context) (runtime.Object, error)) error {
	ctx, gv := req.Context(), r.resource.GroupVersion()
	if attributes, err := genericapifilters.GetAuthorizerAttributes(ctx); err == nil {
		// It is only told: what controllers may do does not depend on the log.
		if decision, reason, err := a.authorizer.Authorize(ctx, attributes); err == nil && decision == authorizer.DecisionAllow {
			audit.AddAuditAnnotations(ctx, "authorization.k8s.io/decision", "allow", "authorization.k8s.io/reason", reason)
		}
	}
	of := gv
	if kind := w.obj.GetObjectKind().GroupVersionKind(); !kind.Empty() {
		of = kind.GroupVersion()
	}
	audit.LogRequestObject(ctx, w.obj, of, r.resource, w.subresource, a.serializer)
	out, err := do(ctx)
	code := http.StatusOK
	switch {
	case err != nil:
		status := responsewriters.ErrorToAPIStatus(err)
		code = int(status.Code)
		audit.LogResponseObject(ctx, status, gv, a.serializer)
	case out != nil:
		audit.LogResponseObject(ctx, out, gv, a.serializer)
	}
	if err == nil && w.verb == "create" {
		code = http.StatusCreated
	}
	rw.WriteHeader(code)
	return err
}

// heldEvents keeps what is to be logged.
type heldEvents struct{ all []*auditinternal.Event }

var _ audit.Sink = (*heldEvents)(nil)

// ProcessEvents implements audit.Sink.
func (h *heldEvents) ProcessEvents(events ...*auditinternal.Event) bool {
	for _, event := range events {
		h.all = append(h.all, event.DeepCopy())
	}
	return true
}
