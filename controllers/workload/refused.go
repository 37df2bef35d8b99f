package workload

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// MayAllowMore reports whether Pods that were refused may be created after a change: of a
// LimitRange, of a ServiceAccount, or of a ResourceQuota, unless more of it is used.
func MayAllowMore(c engine.Commit) bool {
	old, ok := c.Old.(*corev1.ResourceQuota)
	if !ok || c.Type == watch.Deleted {
		return true
	}
	quota := c.Object.(*corev1.ResourceQuota)
	if !equality.Semantic.DeepEqual(old.Spec, quota.Spec) || !equality.Semantic.DeepEqual(old.Status.Hard, quota.Status.Hard) {
		return true
	}
	for name, used := range quota.Status.Used {
		if before := old.Status.Used[name]; used.Cmp(before) < 0 {
			return true
		}
	}
	return false
}
