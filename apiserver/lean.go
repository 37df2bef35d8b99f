package apiserver

import (
	"context"
	"slices"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/user"
)

// The engine and discovery have CustomResourceDefinitions without their schemas. A schema
// takes ten times its length in memory, and only validation and OpenAPI need it: they read
// it from the store, see wholeDefinition.
//
// Invariant: what Local writes of a definition leaves its spec as it is.

// Lean returns an object of the store in its external version, as the engine gets it: a
// CustomResourceDefinition is without schemas. The result may share memory with obj;
// neither may be changed.
func Lean(obj runtime.Object) (Object, error) {
	crd, ok := obj.(*apiextensions.CustomResourceDefinition)
	if !ok {
		return External(obj)
	}
	lean := *crd
	lean.Spec.Validation = nil
	lean.Spec.Versions = slices.Clone(crd.Spec.Versions)
	for i := range lean.Spec.Versions {
		lean.Spec.Versions[i].Schema = nil
	}
	return External(&lean)
}

// kept returns obj, which is to replace old, with what Local leaves as it is: the spec of a
// definition, as upstream's strategy of the status does, and all but the metadata of a custom
// resource. The engine has a custom resource as it was stored: in any of its versions, and
// as the schema of that time wanted it.
//
// Invariant: of a custom resource, Local writes only metadata, and the scale.
func kept(obj, old runtime.Object) runtime.Object {
	switch is := obj.(type) {
	case *apiextensions.CustomResourceDefinition:
		if was, ok := old.(*apiextensions.CustomResourceDefinition); ok {
			is.Spec = was.Spec
		}
	case *unstructured.Unstructured:
		was, ok := old.DeepCopyObject().(*unstructured.Unstructured)
		if ok && was.Object != nil {
			was.Object["metadata"] = is.Object["metadata"]
			return was
		}
	}
	return obj
}

// wholeDefinition reads the newest state of a definition, with its schemas. It sees what
// the engine has seen, even if that is not committed yet.
func (s *Server) wholeDefinition(name string) (*apiextensionsv1.CustomResourceDefinition, error) {
	ctx := context.Background()
	if s.cfg.Ahead != nil {
		ctx = s.cfg.Ahead(ctx)
	}
	obj, err := s.local.get(ctx, &user.DefaultInfo{Name: user.APIServerUser}, apiextensions.Resource("customresourcedefinitions"), "", name)
	if err != nil {
		return nil, err
	}
	return obj.(*apiextensionsv1.CustomResourceDefinition), nil
}
