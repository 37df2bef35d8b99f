package customresource

import (
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	genericrequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
)

// DeleteInstances deletes all objects of a definition that is being deleted, whatever
// admission says, one namespace after the other. Source: CRDFinalizer.deleteInstances in
// k8s.io/apiextensions-apiserver pkg/controller/finalizer v0.37.2.
func (h *Handler) DeleteInstances(ctx context.Context, name string) error {
	s, err := h.registry(name)
	if err != nil {
		return err
	}
	all, err := s.List(ctx, nil)
	if err != nil {
		return err
	}
	var errs []error
	done := map[string]bool{}
	for i := range all.(*unstructured.UnstructuredList).Items {
		namespace := all.(*unstructured.UnstructuredList).Items[i].GetNamespace()
		if done[namespace] {
			continue
		}
		done[namespace] = true
		_, err := s.DeleteCollection(genericrequest.WithNamespace(ctx, namespace), rest.ValidateAllObjectFunc, nil, nil)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
