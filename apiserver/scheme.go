package apiserver

import (
	"fmt"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	serverstorage "k8s.io/apiserver/pkg/server/storage"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/kube-aggregator/pkg/apis/apiregistration"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/apis/certificates"
	"k8s.io/kubernetes/pkg/apis/resource"
	"k8s.io/kubernetes/pkg/apis/storagemigration"

	// Every group that groups.go serves registers its types and defaults here.
	_ "k8s.io/kubernetes/pkg/apis/admissionregistration/install"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	_ "k8s.io/kubernetes/pkg/apis/authentication/install"
	_ "k8s.io/kubernetes/pkg/apis/authorization/install"
	_ "k8s.io/kubernetes/pkg/apis/autoscaling/install"
	_ "k8s.io/kubernetes/pkg/apis/batch/install"
	_ "k8s.io/kubernetes/pkg/apis/certificates/install"
	_ "k8s.io/kubernetes/pkg/apis/coordination/install"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	_ "k8s.io/kubernetes/pkg/apis/discovery/install"
	_ "k8s.io/kubernetes/pkg/apis/events/install"
	_ "k8s.io/kubernetes/pkg/apis/flowcontrol/install"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	_ "k8s.io/kubernetes/pkg/apis/node/install"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
	_ "k8s.io/kubernetes/pkg/apis/rbac/install"
	_ "k8s.io/kubernetes/pkg/apis/scheduling/install"
	_ "k8s.io/kubernetes/pkg/apis/storage/install"
	_ "k8s.io/kubernetes/pkg/apis/storagemigration/install"

	// Like upstream's groups above, these register themselves with legacyscheme.
	_ "github.com/kubesim-dev/kubesim/apiserver/apis/apiextensions/install"
	_ "github.com/kubesim-dev/kubesim/apiserver/apis/apiregistration/install"
	_ "github.com/kubesim-dev/kubesim/apiserver/apis/metrics/install"
	_ "github.com/kubesim-dev/kubesim/apiserver/apis/resource/install"
	_ "github.com/kubesim-dev/kubesim/apiserver/apis/sim/install"
	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
)

// storedMediaType returns how objects are stored, as in a real cluster's etcd. If the
// group has no protobuf, it is JSON, as for custom resources.
func storedMediaType(group string) string {
	if group == v1alpha1.GroupName || group == apiregistration.GroupName || group == apiextensions.GroupName || !legacyscheme.Scheme.IsGroupRegistered(group) {
		return runtime.ContentTypeJSON
	}
	return runtime.ContentTypeProtobuf
}

// storageVersion returns the version in which a group's objects are stored and given to
// the engine: the preferred stable version. Those that are not stable are not served, but
// for groups that have no other.
func storageVersion(group string) (schema.GroupVersion, error) {
	// Events of both groups have one store, in core/v1. Upstream: the cohabitating
	// resources of NewStorageFactoryConfig.
	if group == "events.k8s.io" {
		group = ""
	}
	versions := legacyscheme.Scheme.PrioritizedVersionsForGroup(group)
	for _, v := range versions {
		if !strings.Contains(v.Version, "alpha") && !strings.Contains(v.Version, "beta") {
			return v, nil
		}
	}
	if len(versions) == 0 {
		return schema.GroupVersion{}, fmt.Errorf("apiserver: group %q has no version", group)
	}
	return versions[0], nil
}

// storedVersion returns the version in which a resource is stored. It is the group's
// version, except for resources whose v1 the previous release could not read. Source:
// the overrides of NewStorageFactoryConfigEffectiveVersion, k8s.io/kubernetes
// pkg/kubeapiserver v1.37.2.
func storedVersion(gr schema.GroupResource) (schema.GroupVersion, error) {
	switch gr {
	case certificates.Resource("clustertrustbundles"), certificates.Resource("podcertificaterequests"):
		return schema.GroupVersion{Group: gr.Group, Version: "v1beta1"}, nil
	case storagemigration.Resource("storageversionmigrations"):
		return schema.GroupVersion{Group: gr.Group, Version: "v1beta1"}, nil
	case resource.Resource("devicetaintrules"):
		return schema.GroupVersion{Group: gr.Group, Version: "v1beta2"}, nil
	case apiextensions.Resource("customresourcedefinitions"): // CreateAPIExtensionsConfig in pkg/controlplane/apiserver
		return schema.GroupVersion{Group: gr.Group, Version: "v1beta1"}, nil
	}
	return storageVersion(gr.Group)
}

// storageCodec encodes a resource's objects for the store. The versioner says in which
// version: discovery has a hash of it for each resource. If the scheme does not know a
// group, the group was added while the server runs.
func storageCodec(gr schema.GroupResource) (runtime.Codec, runtime.GroupVersioner, error) {
	if !legacyscheme.Scheme.IsGroupRegistered(gr.Group) {
		return unstructured.UnstructuredJSONScheme, nil, nil
	}
	stored, err := storedVersion(gr)
	if err != nil {
		return nil, nil, err
	}
	return serverstorage.NewStorageCodec(serverstorage.StorageCodecConfig{
		StorageMediaType:  storedMediaType(gr.Group),
		StorageSerializer: legacyscheme.Codecs,
		StorageVersion:    stored,
		MemoryVersion:     schema.GroupVersion{Group: stored.Group, Version: runtime.APIVersionInternal},
		Config:            storagebackend.Config{},
	})
}

// externalize returns obj, an internal type, in its group's version. An Unstructured
// object is already in it. The result may share memory with obj: neither may be
// changed.
func externalize(obj runtime.Object) (runtime.Object, error) {
	if _, ok := obj.(runtime.Unstructured); ok {
		return obj, nil
	}
	kinds, _, err := legacyscheme.Scheme.ObjectKinds(obj)
	if err != nil {
		return nil, err
	}
	version, err := storageVersion(kinds[0].Group)
	if err != nil {
		return nil, err
	}
	return legacyscheme.Scheme.UnsafeConvertToVersion(obj, version)
}

// internalize returns a private internal copy of obj, with defaults, as if it
// had been decoded from a request.
func internalize(obj runtime.Object) (runtime.Object, error) {
	private := obj.DeepCopyObject()
	legacyscheme.Scheme.Default(private)
	return toInternal(private)
}

// internalCopy is internalize for an object that has its defaults.
func internalCopy(obj runtime.Object) (runtime.Object, error) {
	return toInternal(obj.DeepCopyObject())
}

// withDefaults returns obj, an internal type, with defaults for its parts that are
// newer than its decoding. This is what decoding it from the store would give. The
// result shares memory with obj.
func withDefaults(obj runtime.Object) (runtime.Object, error) {
	external, err := externalize(obj)
	if err != nil {
		return nil, err
	}
	legacyscheme.Scheme.Default(external)
	return toInternal(external)
}

// toInternal converts private; the result shares memory with it. Unstructured objects
// have no other version.
func toInternal(private runtime.Object) (runtime.Object, error) {
	if _, ok := private.(runtime.Unstructured); ok {
		return private, nil
	}
	kinds, _, err := legacyscheme.Scheme.ObjectKinds(private)
	if err != nil {
		return nil, err
	}
	internal, err := legacyscheme.Scheme.UnsafeConvertToVersion(private, schema.GroupVersion{Group: kinds[0].Group, Version: runtime.APIVersionInternal})
	if err != nil {
		return nil, err
	}
	if m, merr := meta.TypeAccessor(internal); merr == nil {
		m.SetAPIVersion("")
		m.SetKind("")
	}
	return internal, nil
}
