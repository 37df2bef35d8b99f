// Package install registers group apiextensions.k8s.io in the API server's one scheme.
// Upstream has a scheme of its own for it, because it is served by a server of its own.
package install

import (
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
)

// As upstream's install packages do: the scheme is theirs, and global.
func init() { install.Install(legacyscheme.Scheme) }
