package plugin

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"

	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/initializer"
	"k8s.io/client-go/informers"
	storagelisters "k8s.io/client-go/listers/storage/v1"
	"k8s.io/kubernetes/pkg/apis/core"
	"k8s.io/kubernetes/pkg/apis/core/helper"
)

// The plugins of this file are not upstream's own. Those
// (plugin/pkg/admission/storage/{storageclass/setdefault,storageobjectinuseprotection}
// v1.37.2) are linked with k8s.io/mount-utils, SELinux and quotas of file systems, code
// that accesses the host.
const (
	// DefaultClass gives a claim that names no StorageClass the default one.
	DefaultClass = "DefaultStorageClass"
	// InUse gives volumes and claims the finalizers that keep them while they are
	// in use.
	InUse = "StorageObjectInUseProtection"
)

// Annotations of a default StorageClass. Source: pkg/volume/util v1.37.2.
const (
	// DefaultClassAnnotation marks it.
	DefaultClassAnnotation     = "storageclass.kubernetes.io/is-default-class"
	betaDefaultClassAnnotation = "storageclass.beta.kubernetes.io/is-default-class"
)

// The finalizers of InUse. Source: k8s.io/kubernetes
// plugin/pkg/admission/storage/storageobjectinuseprotection v1.37.2.
const (
	volumeProtection = "kubernetes.io/pv-protection"
	claimProtection  = "kubernetes.io/pvc-protection"
)

// RegisterDefaultClass registers the plugin DefaultClass.
func RegisterDefaultClass(plugins *admission.Plugins) {
	plugins.Register(DefaultClass, func(io.Reader) (admission.Interface, error) {
		return &classDefaulter{Handler: admission.NewHandler(admission.Create)}, nil
	})
}

// RegisterInUse registers the plugin InUse.
func RegisterInUse(plugins *admission.Plugins) {
	plugins.Register(InUse, func(io.Reader) (admission.Interface, error) {
		return inUseProtector{admission.NewHandler(admission.Create)}, nil
	})
}

var _ initializer.WantsExternalKubeInformerFactory = (*classDefaulter)(nil)

type classDefaulter struct {
	*admission.Handler
	classes storagelisters.StorageClassLister
}

// SetExternalKubeInformerFactory implements initializer.WantsExternalKubeInformerFactory.
func (d *classDefaulter) SetExternalKubeInformerFactory(factory informers.SharedInformerFactory) {
	d.classes = factory.Storage().V1().StorageClasses().Lister()
}

// ValidateInitialization implements admission.InitializationValidator.
func (d *classDefaulter) ValidateInitialization() error {
	if d.classes == nil {
		return errors.New("DefaultStorageClass has no lister of StorageClasses")
	}
	return nil
}

// Admit implements admission.MutationInterface.
func (d *classDefaulter) Admit(_ context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	claim, ok := a.GetObject().(*core.PersistentVolumeClaim)
	if !ok || a.GetSubresource() != "" || helper.PersistentVolumeClaimHasClass(claim) {
		return nil
	}
	classes, err := d.classes.List(labels.Everything())
	if err != nil {
		return admission.NewForbidden(a, err)
	}
	if class := defaultClass(classes); class != nil {
		claim.Spec.StorageClassName = &class.Name
	}
	return nil
}

// defaultClass returns the newest of the classes that are marked as default, or nil if
// none is. Source: GetDefaultClass in pkg/volume/util v1.37.2.
func defaultClass(classes []*storagev1.StorageClass) *storagev1.StorageClass {
	marked := slices.DeleteFunc(slices.Clone(classes), func(c *storagev1.StorageClass) bool {
		return c.Annotations[DefaultClassAnnotation] != "true" && c.Annotations[betaDefaultClassAnnotation] != "true"
	})
	if len(marked) == 0 {
		return nil
	}
	return slices.MinFunc(marked, func(a, b *storagev1.StorageClass) int {
		return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
}

type inUseProtector struct{ *admission.Handler }

// Admit implements admission.MutationInterface.
func (inUseProtector) Admit(_ context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	if a.GetSubresource() != "" {
		return nil
	}
	switch obj := a.GetObject().(type) {
	case *core.PersistentVolume:
		protect(obj, volumeProtection)
	case *core.PersistentVolumeClaim:
		protect(obj, claimProtection)
	}
	return nil
}

func protect(obj metav1.Object, finalizer string) {
	if !slices.Contains(obj.GetFinalizers(), finalizer) {
		obj.SetFinalizers(append(obj.GetFinalizers(), finalizer))
	}
}
