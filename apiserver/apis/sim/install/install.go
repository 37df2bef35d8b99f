// Package install registers group sim.kubesim.dev where upstream's install
// packages register theirs: in the API server's one scheme.
package install

import (
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/kubernetes/pkg/api/legacyscheme"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim"
	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
)

// As upstream's install packages do: the scheme is theirs, and global.
func init() {
	utilruntime.Must(sim.AddToScheme(legacyscheme.Scheme))
	utilruntime.Must(legacyscheme.Scheme.SetVersionPriority(v1alpha1.GroupVersion()))
}
