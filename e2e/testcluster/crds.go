package testcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// CRDInstallOptions say which CustomResourceDefinitions the cluster begins with, as
// those of envtest do.
type CRDInstallOptions struct {
	// CRDs are definitions.
	CRDs []*apiextensionsv1.CustomResourceDefinition
	// Paths name files, and directories whose files (.yaml, .yml, .json) are read.
	// Whatever is no definition is left out, a kustomization for example. A path that does
	// not exist, or has no definition, fails the test.
	Paths []string
}

// objects are all definitions, the typed ones first.
func (o CRDInstallOptions) objects() ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	kind := apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition")
	for _, crd := range o.CRDs {
		u, err := untyped(crd, kind)
		if err != nil {
			return nil, err
		}
		all = append(all, u)
	}
	read, err := readPaths(o.Paths, kind.GroupKind())
	if err != nil {
		return nil, fmt.Errorf("testcluster.Config.CRDInstallOptions.Paths: %w", err)
	}
	if all, err = distinct(append(all, read...)); err != nil {
		return nil, fmt.Errorf("testcluster.Config.CRDInstallOptions: %w", err)
	}
	return all, nil
}

// distinct leaves out what is given twice, as by a directory and a file in it. Two objects
// of one name that differ are refused: the second would be applied over the first.
func distinct(objects []*unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	for _, object := range objects {
		i := slices.IndexFunc(all, func(o *unstructured.Unstructured) bool {
			return object.GetName() != "" && o.GetName() == object.GetName() && o.GroupVersionKind() == object.GroupVersionKind()
		})
		switch {
		case i < 0:
			all = append(all, object)
		case !equality.Semantic.DeepEqual(all[i].Object, object.Object):
			return nil, fmt.Errorf("there are two %ss named %q, and they differ: rename one, or put both into one", object.GetKind(), object.GetName())
		}
	}
	return all, nil
}

// untyped copies a typed object, without its status.
func untyped(object any, kind schema.GroupVersionKind) (*unstructured.Unstructured, error) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, err
	}
	delete(fields, "status")
	u := &unstructured.Unstructured{Object: fields}
	u.SetGroupVersionKind(kind)
	unstructured.RemoveNestedField(u.Object, "metadata", "creationTimestamp")
	return u, nil
}

// readPaths reads the objects of the kinds from files and directories.
func readPaths(paths []string, kinds ...schema.GroupKind) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	for _, path := range paths {
		files, err := filesOf(path)
		if err != nil {
			return nil, err
		}
		found := 0
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			objects, err := parseAll(string(data))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			for _, object := range objects {
				if slices.Contains(kinds, object.GroupVersionKind().GroupKind()) {
					all = append(all, object)
					found++
				}
			}
		}
		if found == 0 {
			return nil, fmt.Errorf("%s: there is no %s in it (folders below it are not read)", path, kindsOf(kinds))
		}
	}
	return all, nil
}

func kindsOf(kinds []schema.GroupKind) string {
	var names []string
	for _, kind := range kinds {
		names = append(names, kind.Kind)
	}
	return strings.Join(names, " or ")
}

// filesOf returns a file, or the files of a directory in the order of their names.
func filesOf(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%w: want a file or a directory; a relative path begins in the folder of the test's package", err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, entry := range entries {
		if !entry.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(entry.Name())) {
			files = append(files, filepath.Join(path, entry.Name()))
		}
	}
	return files, nil
}

// installCRDs creates the definitions. Each is answered when its resource can be used.
func (c *Cluster) installCRDs() error {
	objects, err := c.config.CRDInstallOptions.objects()
	if err != nil {
		return err
	}
	for _, object := range objects {
		delete(object.Object, "status") // old generators write an empty one
		if err := c.redirectConversion(object); err != nil {
			return fmt.Errorf("CustomResourceDefinition %q: %w", object.GetName(), err)
		}
		if err := c.apply(object); err != nil {
			return fmt.Errorf("CustomResourceDefinition %q: %w", object.GetName(), err)
		}
		if err := c.established(object.GetName()); err != nil {
			return fmt.Errorf("CustomResourceDefinition %q: %w", object.GetName(), err)
		}
	}
	return nil
}

// established says why a definition's resource is not served.
func (c *Cluster) established(name string) error {
	u, err := c.dynamic.Resource(apiextensionsv1.SchemeGroupVersion.WithResource("customresourcedefinitions")).
		Get(context.Background(), name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &crd); err != nil {
		return err
	}
	why := errors.New("it has no condition Established: the resource is not served")
	for _, condition := range crd.Status.Conditions {
		switch {
		case condition.Type == apiextensionsv1.Established && condition.Status == apiextensionsv1.ConditionTrue:
			return nil
		case condition.Status != apiextensionsv1.ConditionTrue:
			why = fmt.Errorf("%s is %s: %s", condition.Type, condition.Status, condition.Message)
		}
	}
	return why
}
