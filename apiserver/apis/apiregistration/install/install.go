// Package install registers the group apiregistration.k8s.io, that of the APIServices,
// with upstream's scheme.
package install

import (
	"k8s.io/kube-aggregator/pkg/apis/apiregistration/install"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
)

func init() { install.Install(legacyscheme.Scheme) }
