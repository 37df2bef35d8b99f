// Package install registers group metrics.k8s.io where upstream's install packages
// register theirs: in the API server's one scheme.
package install

import (
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/metrics/pkg/apis/metrics/install"
)

// As upstream's install packages do: the scheme is theirs, and global.
func init() { install.Install(legacyscheme.Scheme) }
