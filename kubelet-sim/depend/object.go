// Package depend keeps the objects that Pods follow: those whose absence makes a Pod wait,
// and those whose change reaches its files.
//
// Invariant: the error of what is missing names the object (Lacks, Missing), so that a
// Pod is woken by that object's commit and never has to poll.
package depend

import (
	"errors"
	"fmt"

	"k8s.io/utils/ptr"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Object is an object that something of a Pod follows.
type Object struct {
	Resource engine.Resource
	Name     types.NamespacedName
}

// missingError says that a Pod needs an object, or a key of one, that is not
// there.
type missingError struct {
	Object
	text string
}

func (e *missingError) Error() string { return e.text }

// Lacks returns the error of a Pod that has to wait for d.
func (d Object) Lacks(format string, args ...any) error {
	return &missingError{d, fmt.Sprintf(format, args...)}
}

// Missing returns the objects that err, or one of the errors in it, misses.
func Missing(err error) []Object {
	var all []Object
	var lacks *missingError
	if errors.As(err, &lacks) {
		all = append(all, lacks.Object)
	}
	var list interface{ Unwrap() []error }
	if errors.As(err, &list) {
		for _, one := range list.Unwrap() {
			all = append(all, Missing(one)...)
		}
	}
	return all
}

// notFound words the error as apimachinery's NewNotFound does.
func notFound(resource engine.Resource, kind string, name types.NamespacedName) error {
	return Object{resource, name}.Lacks("%s %q not found", kind, name.Name)
}

// ConfigMap returns a ConfigMap; nil if there is none but it is optional.
func ConfigMap(view *engine.View, namespace, name string, optional *bool) (*corev1.ConfigMap, error) {
	obj, ok := engine.Get[*corev1.ConfigMap](view, engine.ConfigMaps, namespace, name)
	if !ok && !ptr.Deref(optional, false) {
		return nil, notFound(engine.ConfigMaps, "configmap", types.NamespacedName{Namespace: namespace, Name: name})
	}
	return obj, nil
}

// Secret returns a Secret; nil if there is none but it is optional.
func Secret(view *engine.View, namespace, name string, optional *bool) (*corev1.Secret, error) {
	obj, ok := engine.Get[*corev1.Secret](view, engine.Secrets, namespace, name)
	if !ok && !ptr.Deref(optional, false) {
		return nil, notFound(engine.Secrets, "secret", types.NamespacedName{Namespace: namespace, Name: name})
	}
	return obj, nil
}
