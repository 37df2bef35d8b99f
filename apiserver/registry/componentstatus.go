package registry

import (
	"context"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/kubernetes/pkg/apis/core"
	"k8s.io/kubernetes/pkg/probe"
	"k8s.io/kubernetes/pkg/registry/core/componentstatus"
)

// ComponentStatuses is upstream's resource of that name, in one order: upstream lists
// the components as their answers arrive.
type ComponentStatuses struct{ *componentstatus.REST }

// NewComponentStatuses returns the statuses of a control plane whose store is healthy if
// store returns nil. The scheduler and the controllers run in the process that answers:
// as long as it does, they are healthy.
func NewComponentStatuses(store func() error) ComponentStatuses {
	return ComponentStatuses{componentstatus.NewStorage(func() map[string]componentstatus.Server {
		here := check(func() error { return nil })
		return map[string]componentstatus.Server{"controller-manager": here, "etcd-0": check(store), "scheduler": here}
	})}
}

// List implements rest.Lister.
func (s ComponentStatuses) List(ctx context.Context, options *internalversion.ListOptions) (runtime.Object, error) {
	out, err := s.REST.List(ctx, options)
	if list, ok := out.(*core.ComponentStatusList); ok && err == nil {
		slices.SortFunc(list.Items, func(a, b core.ComponentStatus) int { return strings.Compare(a.Name, b.Name) })
	}
	return out, err
}

// check is one component.
type check func() error

// DoServerCheck implements componentstatus.Server.
func (c check) DoServerCheck() (probe.Result, string, error) {
	if err := c(); err != nil {
		return probe.Failure, "", err
	}
	return probe.Success, "ok", nil
}
