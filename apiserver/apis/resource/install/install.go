// Package install registers the group resource.k8s.io without the defaults that read the
// wall clock: the times of taints. The registries set these, in virtual time.
package install

import (
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/kubernetes/pkg/api/legacyscheme"

	// Its defaults come first, so that those below replace them.
	_ "k8s.io/kubernetes/pkg/apis/resource/install"
)

// As upstream's install packages do: the scheme is theirs, and global. The times are all
// that upstream's defaults of these types set: SetObjectDefaults_DeviceTaintRule and
// SetObjectDefaults_ResourceSlice, k8s.io/kubernetes pkg/apis/resource/v1 v1.37.2.
func init() {
	for _, obj := range []runtime.Object{
		&resourcev1.DeviceTaintRule{}, &resourcev1.DeviceTaintRuleList{}, &resourcev1.ResourceSlice{}, &resourcev1.ResourceSliceList{},
	} {
		legacyscheme.Scheme.AddTypeDefaultingFunc(obj, func(any) {})
	}
}
