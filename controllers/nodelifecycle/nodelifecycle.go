// Package nodelifecycle watches over the Nodes' heartbeats. It says which Nodes
// are unreachable, keeps Pods off Nodes that are not fit for them, with taints
// that follow the Nodes' conditions, and paces the taints that end Pods.
//
// Invariant: a Node whose heartbeat is due is never found silent before the
// heartbeat had its turn, however far the clock has jumped.
//
// It follows k8s.io/kubernetes pkg/controller/nodelifecycle v1.37.2.
//
// Deviation: upstream looks every 5 seconds, and every 100 milliseconds for the
// taints; here each case has its own wake, at the earliest instant at which
// upstream could act. A heartbeat counts from the instant that it carries, not
// from when it was seen.
package nodelifecycle

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "nodelifecycle"

// Config is what a Reconciler needs.
type Config struct {
	engine.Host
	// Check is the wake for the check of a Node's heartbeat. It is Upkeep where a
	// kubelet posts heartbeats, which are upkeep themselves: no clock has to stop for
	// the check of a healthy Node. Where none is posted the check is punctual: Routine,
	// or Progress if time may be moved for it.
	Check func(node *corev1.Node, at time.Time) engine.Wake
}

func (c *Config) validate() error {
	var errs []error
	if c.Check == nil {
		errs = append(errs, errors.New("nodelifecycle: Config.Check is nil: say which Nodes have a kubelet"))
	}
	return c.ValidateTeller(Name, errs...)
}

// Reconciler reconciles Nodes ("nodes/<name>") and what concerns all of them
// together ("zones").
type Reconciler struct {
	cfg  Config
	view *engine.View
	who  engine.Identity
	// known holds the Nodes that were announced.
	known map[string]types.UID
	// doubted holds the Nodes that seem to be silent and are looked at a second
	// time, when every heartbeat that is due at the instant has had its turn.
	doubted map[string]bool
	// fallen holds the Nodes that were ready until they fell silent, as long as some
	// of their Pods still seem to be.
	fallen map[string]bool
	zones  zones
	told   variables
}

var _ engine.Rememberer = (*Reconciler)(nil)

// New returns a Reconciler. It must be called before the engine starts.
func New(cfg Config) (*Reconciler, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg.View.Track(engine.Nodes, engine.Leases, engine.Pods)
	told, err := newVariables()
	if err != nil {
		return nil, err
	}
	return &Reconciler{
		cfg: cfg, view: cfg.View, who: engine.ControllerIdentity("node-controller"),
		known: map[string]types.UID{}, doubted: map[string]bool{}, fallen: map[string]bool{}, told: told,
	}, nil
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

const (
	nodeKind  = "nodes"
	zonesKind = "zones"
	// fallenSuffix is what the note of a Node in Reconciler.fallen ends with.
	fallenSuffix = " fallen"
)

// Observe implements engine.Reconciler. Heartbeats are looked at when they are
// missed.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	node, ok := c.Object.(*corev1.Node)
	if !ok {
		return nil
	}
	keys := []engine.Key{{Controller: Name, Kind: nodeKind, Name: node.Name}}
	old, _ := c.Old.(*corev1.Node)
	if old == nil || c.Type == watch.Deleted || readiness(old) != readiness(node) ||
		!apiequality.Semantic.DeepEqual(old.Spec.Taints, node.Spec.Taints) || !apiequality.Semantic.DeepEqual(old.Labels, node.Labels) {
		keys = append(keys, engine.Key{Controller: Name, Kind: zonesKind})
	}
	return keys
}

// Remember implements engine.Rememberer: that a Node was announced and has fallen
// silent, or the state of the zones.
func (r *Reconciler) Remember(key engine.Key) ([]byte, error) {
	if key.Kind == zonesKind {
		return json.Marshal(r.zones)
	}
	uid, known := r.known[key.Name]
	switch {
	case !known:
		return nil, nil
	case r.fallen[key.Name]:
		return []byte(string(uid) + fallenSuffix), nil
	}
	return []byte(uid), nil
}

// Recall implements engine.Rememberer.
func (r *Reconciler) Recall(_ context.Context, key engine.Key, note []byte, _ time.Time) error {
	if key.Kind == zonesKind {
		return json.Unmarshal(note, &r.zones)
	}
	uid, fallen := strings.CutSuffix(string(note), fallenSuffix)
	r.known[key.Name] = types.UID(uid)
	if fallen {
		r.fallen[key.Name] = true
	}
	return nil
}

// Reconcile implements engine.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, now time.Time) (engine.Wake, error) {
	if key.Kind == zonesKind {
		return r.reconcileZones(ctx, now)
	}
	node, ok := engine.Get[*corev1.Node](r.view, engine.Nodes, "", key.Name)
	if !ok {
		r.forget(ctx, key.Name)
		return engine.Wake{}, nil
	}
	r.announce(ctx, node)
	return r.reconcileNode(ctx, node, now)
}

func (r *Reconciler) reconcileZones(ctx context.Context, now time.Time) (engine.Wake, error) {
	nodes := engine.List[*corev1.Node](r.view, engine.Nodes, "")
	_, counted := byZone(nodes)
	r.told.tell(counted, r.zones)
	p := decideZones(nodes, r.zones, now)
	if err := r.applyZones(ctx, p, now); err != nil {
		return engine.Wake{}, err
	}
	r.zones = p.Zones
	return engine.Progress(p.WakeAt), nil
}

func (r *Reconciler) reconcileNode(ctx context.Context, node *corev1.Node, now time.Time) (engine.Wake, error) {
	lease, _ := engine.Get[*coordinationv1.Lease](r.view, engine.Leases, corev1.NamespaceNodeLease, node.Name)
	var pods []*corev1.Pod
	if readiness(node) != corev1.ConditionUnknown {
		delete(r.fallen, node.Name)
	} else if r.fallen[node.Name] {
		pods = r.podsOn(node.Name)
	}
	p := decideNode(node, pods, heard(node, lease, r.zones.Since), now)
	if p.Silent && !r.doubted[node.Name] {
		r.doubted[node.Name] = true
		return engine.Upkeep(now), nil
	}
	delete(r.doubted, node.Name)
	return r.cfg.Check(node, p.CheckAt), r.applyNode(ctx, node, p, now)
}

func (r *Reconciler) podsOn(node string) []*corev1.Pod {
	return slices.DeleteFunc(engine.List[*corev1.Pod](r.view, engine.Pods, ""), func(pod *corev1.Pod) bool {
		return pod.Spec.NodeName != node
	})
}
