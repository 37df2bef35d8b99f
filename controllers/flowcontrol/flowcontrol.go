// Package flowcontrol keeps upstream's own FlowSchemas and PriorityLevelConfigurations.
//
// Invariant: the mandatory ones are always there, as upstream defines them. The suggested
// ones are there, and as upstream defines them unless a user has taken them over
// (apf.kubernetes.io/autoupdate-spec: "false", or another spec).
//
// Upstream's ensurer decides and writes: k8s.io/kubernetes pkg/registry/flowcontrol/ensurer
// v1.37.2. The API server there calls it every minute.
//
// Deviation: here it is called at once, for what has changed.
package flowcontrol

import (
	"context"
	"time"

	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/kubernetes/pkg/registry/flowcontrol/ensurer"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Name is the reconciler's name in the queue and in the event log: that of upstream's
// hook.
const Name = "priority-and-fairness-config-producer"

// The resources, and the kinds of keys.
const (
	flowSchemas    engine.Resource = "flowschemas.flowcontrol.apiserver.k8s.io"
	priorityLevels engine.Resource = "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io"

	flowSchema    = "FlowSchema"
	priorityLevel = "PriorityLevelConfiguration"
)

// Config is what a Reconciler needs.
type Config struct {
	engine.Host
	// Mandatory and Suggested are upstream's own objects.
	Mandatory, Suggested Objects
}

// Objects are flow schemas and priority levels.
type Objects struct {
	FlowSchemas    []*flowcontrolv1.FlowSchema
	PriorityLevels []*flowcontrolv1.PriorityLevelConfiguration
}

// Reconciler reconciles FlowSchemas and PriorityLevelConfigurations.
type Reconciler struct {
	flows  kept[*flowcontrolv1.FlowSchema]
	levels kept[*flowcontrolv1.PriorityLevelConfiguration]
}

var _ engine.Reconciler = (*Reconciler)(nil)

// New returns a Reconciler. It must be called before the engine starts.
func New(cfg Config) (*Reconciler, error) {
	if err := cfg.Validate(Name); err != nil {
		return nil, err
	}
	cfg.View.Track(flowSchemas, priorityLevels)
	// Upstream's API server does this itself.
	who := engine.Identity{User: "system:apiserver", Groups: []string{"system:masters"}}
	return &Reconciler{
		flows: kept[*flowcontrolv1.FlowSchema]{
			ops:       objects[*flowcontrolv1.FlowSchema]{ensurer.NewFlowSchemaOps(nil, nil), cfg.Host, who, flowSchemas},
			mandatory: cfg.Mandatory.FlowSchemas, suggested: cfg.Suggested.FlowSchemas,
		},
		levels: kept[*flowcontrolv1.PriorityLevelConfiguration]{
			ops:       objects[*flowcontrolv1.PriorityLevelConfiguration]{ensurer.NewPriorityLevelConfigurationOps(nil, nil), cfg.Host, who, priorityLevels},
			mandatory: cfg.Mandatory.PriorityLevels, suggested: cfg.Suggested.PriorityLevels,
		},
	}, nil
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

// Observe implements engine.Reconciler. What is as it should be has no step.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	gone := c.Type == watch.Deleted
	switch obj := c.Object.(type) {
	case *flowcontrolv1.FlowSchema:
		if r.flows.concerned(obj, gone) {
			return []engine.Key{{Controller: Name, Kind: flowSchema, Name: obj.Name}}
		}
	case *flowcontrolv1.PriorityLevelConfiguration:
		if r.levels.concerned(obj, gone) {
			return []engine.Key{{Controller: Name, Kind: priorityLevel, Name: obj.Name}}
		}
	}
	return nil
}

// Reconcile implements engine.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, _ time.Time) (engine.Wake, error) {
	if key.Kind == flowSchema {
		return engine.Wake{}, r.flows.ensure(ctx, key.Name)
	}
	return engine.Wake{}, r.levels.ensure(ctx, key.Name)
}
