package cluster

import (
	"time"

	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/quota/v1/generic"
	"k8s.io/kubernetes/pkg/quota/v1/evaluator/core"
	quotainstall "k8s.io/kubernetes/pkg/quota/v1/install"
	"k8s.io/utils/clock"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/resourcequota"
)

// evaluators are upstream's that know more than to count. The controller hands them the
// objects, so none of them lists any.
//
// Deviation: of resourceclaims, only how many there are is measured, not the devices that
// they ask for.
func (p parts) evaluators() ([]resourcequota.Evaluator, error) {
	special, err := core.NewEvaluators(nil, nil, func(gvr schema.GroupVersionResource) bool {
		return gvr.Resource != "pods" && gvr.Resource != "resourceclaims"
	})
	if err != nil {
		return nil, err
	}
	var out []resourcequota.Evaluator
	for _, e := range append(special, core.NewPodEvaluator(nil, virtualClock{engine: p.engine})) {
		out = append(out, e)
	}
	return out, nil
}

// objectCount returns what counts the objects of every other resource of a namespace.
func objectCount(s engine.Served) resourcequota.Evaluator {
	gr := s.Name.GroupResource()
	_, ignored := quotainstall.DefaultIgnoredResources()[gr]
	if ignored || !s.Namespaced || gr.Group == eventsv1.GroupName { // Events have two groups, but one store
		return nil
	}
	return generic.NewObjectCountEvaluator(gr, nil, "")
}

// virtualClock tells upstream's Pod evaluator the engine's time. Now is all
// that it asks for.
type virtualClock struct {
	clock.Clock
	engine *engine.Engine
}

// Now implements clock.Clock.
func (c virtualClock) Now() time.Time { return c.engine.Now() }
