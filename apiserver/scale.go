package apiserver

import (
	"context"
	"fmt"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
)

// Scale returns the scale of an object of a kind, and the resource where it is; Update
// with the subresource scale writes it. A kind that is not served, or an object that has
// no scale, gets the error that a client with upstream's scale client gets.
func (l *Local) Scale(ctx context.Context, who user.Info, kind schema.GroupKind, key types.NamespacedName) (*autoscalingv1.Scale, schema.GroupResource, error) {
	gr, found := l.served.resourceOf(kind)
	if !found {
		return nil, gr, &meta.NoKindMatchError{GroupKind: kind}
	}
	r, storage, err := l.find(gr, "scale")
	if err != nil {
		return nil, gr, notFoundHere()
	}
	getter, ok := storage.(rest.Getter)
	if !ok {
		return nil, gr, notFoundHere()
	}
	obj, err := getter.Get(r.requestContext(ctx, who, key.Namespace, key.Name, "scale", "get"), key.Name, &metav1.GetOptions{})
	if err != nil {
		return nil, gr, err
	}
	scale, err := scaleOf(obj)
	return scale, gr, err
}

// scaleOf returns a scale in version autoscaling/v1, which clients get: those of our own
// kinds are internal, those of custom resources are not.
func scaleOf(obj runtime.Object) (*autoscalingv1.Scale, error) {
	if scale, ok := obj.(*autoscalingv1.Scale); ok {
		return scale, nil
	}
	out := &autoscalingv1.Scale{}
	return out, legacyscheme.Scheme.Convert(obj, out, nil)
}

// updateScale is Update for the subresource scale.
func (l *Local) updateScale(ctx context.Context, who user.Info, gr schema.GroupResource, obj Object) (Object, error) {
	r, storage, err := l.find(gr, "scale")
	if err != nil {
		return nil, err
	}
	updater, ok := storage.(rest.Updater)
	if !ok {
		return nil, fmt.Errorf("apiserver: the scale of %s cannot be updated", gr)
	}
	in := obj.DeepCopyObject()
	if _, external := updater.New().(*autoscalingv1.Scale); !external {
		if in, err = internalize(obj); err != nil {
			return nil, err
		}
	}
	namespace, name, options := obj.GetNamespace(), obj.GetName(), &metav1.UpdateOptions{}
	ctx = r.requestContext(ctx, who, namespace, name, "scale", "update")
	about, err := l.interfaces(ctx, storage)
	if err != nil {
		return nil, err
	}
	attributes := func(obj, old runtime.Object) admission.Attributes {
		a := l.attributes(r, who, obj, old, namespace, name, "scale", admission.Update, options)
		return scaleAttributes{a}
	}
	update := rest.DefaultUpdatedObjectInfo(in, func(ctx context.Context, obj, old runtime.Object) (runtime.Object, error) {
		return obj, l.mutate(ctx, attributes(obj, old), about)
	})
	out, _, err := updater.Update(ctx, name, update, rest.AdmissionToValidateObjectFunc(l.admit, attributes(nil, nil), about),
		rest.AdmissionToValidateObjectUpdateFunc(l.admit, attributes(nil, nil), about), false, options)
	if err != nil {
		return nil, err
	}
	return scaleOf(out)
}

// scaleAttributes are those of a request whose object is a Scale.
type scaleAttributes struct{ admission.Attributes }

// GetKind implements admission.Attributes.
func (scaleAttributes) GetKind() schema.GroupVersionKind {
	return autoscalingv1.SchemeGroupVersion.WithKind("Scale")
}

// notFoundHere is what a client is told that asks for a path that nobody serves.
func notFoundHere() error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: 404, Reason: metav1.StatusReasonNotFound, Message: "the server could not find the requested resource",
	}}
}
