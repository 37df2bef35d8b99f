package cluster

import (
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/quota/v1/generic"
	"k8s.io/kubernetes/pkg/quota/v1/evaluator/core"
	quotainstall "k8s.io/kubernetes/pkg/quota/v1/install"
	"k8s.io/utils/clock"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/resourcequota"
)

// evaluators are upstream's: those that know more than to count, and one that
// counts for every other resource of a namespace. The controller hands them the
// objects, so none of them lists any.
//
// Deviation: resourceclaims are not served, and so not measured.
func (p parts) evaluators() ([]resourcequota.Evaluator, error) {
	special, err := core.NewEvaluators(nil, nil, func(gvr schema.GroupVersionResource) bool {
		return gvr.Resource != "pods" && gvr.Resource != "resourceclaims"
	})
	if err != nil {
		return nil, err
	}
	special = append(special, core.NewPodEvaluator(nil, virtualClock{engine: p.engine}))
	ignored := quotainstall.DefaultIgnoredResources()
	known := map[schema.GroupResource]bool{}
	var out []resourcequota.Evaluator
	for _, e := range special {
		known[e.GroupResource()] = true
		out = append(out, e)
	}
	for _, resource := range p.namespaced() {
		gr := resource.GroupResource()
		if _, skip := ignored[gr]; skip || known[gr] {
			continue
		}
		out = append(out, generic.NewObjectCountEvaluator(gr, nil, ""))
	}
	return out, nil
}

// virtualClock tells upstream's Pod evaluator the engine's time. Now is all
// that it asks for.
type virtualClock struct {
	clock.Clock
	engine *engine.Engine
}

// Now implements clock.Clock.
func (c virtualClock) Now() time.Time { return c.engine.Now() }
