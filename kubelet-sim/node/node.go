package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Config is what New needs to know.
type Config struct {
	// Engine runs the reconciler.
	Engine *engine.Engine
	// API is written to.
	API engine.API
	// Nodes are the simulated nodes, see List.
	Nodes []Node
	// Version is what the kubelets say of themselves, for example "v1.37.2".
	Version string
	// Capacity of each node; nil for DefaultCapacity.
	Capacity corev1.ResourceList
	// Images returns the images that a node has, for its status. Nil for none.
	Images func(node string) []corev1.ContainerImage
}

func (c *Config) validate() error {
	var errs []error
	if c.Engine == nil {
		errs = append(errs, errors.New("node: Config.Engine is nil"))
	}
	if c.API == nil {
		errs = append(errs, errors.New("node: Config.API is nil"))
	}
	if c.Version == "" {
		errs = append(errs, errors.New(`node: Config.Version is empty: want the kubelet's version, for example "v1.37.2"`))
	}
	if len(c.Nodes) > CountMax {
		errs = append(errs, fmt.Errorf("node: %d nodes: want at most %d", len(c.Nodes), CountMax))
	}
	return errors.Join(errs...)
}

// Reconciler registers the nodes and keeps their status and Leases fresh. It
// needs the View's Nodes, Leases and Namespaces, which New makes it track.
type Reconciler struct {
	cfg       Config
	view      *engine.View
	nodes     map[string]Node
	recorders map[string]*engine.EventRecorder
	// registered holds the nodes that this run created or found. A Node that
	// is deleted later stays deleted, as with upstream's kubelet, until the
	// server starts again.
	registered map[string]bool
}

var _ engine.Rememberer = (*Reconciler)(nil)

// New returns the reconciler and makes its first step due.
func New(cfg Config) (*Reconciler, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.Capacity == nil {
		cfg.Capacity = DefaultCapacity()
	}
	r := &Reconciler{
		cfg: cfg, view: cfg.Engine.View(),
		nodes: map[string]Node{}, recorders: map[string]*engine.EventRecorder{}, registered: map[string]bool{},
	}
	for _, resource := range []engine.Resource{engine.Nodes, engine.Leases, engine.Namespaces} {
		r.view.Track(resource)
	}
	for _, n := range cfg.Nodes {
		r.nodes[n.Name] = n
		r.recorders[n.Name] = cfg.Engine.NewEventRecorder(cfg.API, Identity(n.Name), engine.Source{Component: "kubelet", Host: n.Name})
		cfg.Engine.Poke(r.key(n.Name))
	}
	return r, nil
}

// Identity is the user that the kubelet of a node is to the API server.
func Identity(name string) engine.Identity {
	return engine.Identity{User: "system:node:" + name, Groups: []string{"system:nodes", "system:authenticated"}}
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return "node" }

func (r *Reconciler) key(name string) engine.Key {
	return engine.Key{Controller: r.Name(), Name: name}
}

// Observe implements engine.Reconciler: the Leases wait for their namespace, and a
// node for what happens to it; everything else goes by the clock.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	if _, ours := r.nodes[c.Object.GetName()]; c.Resource == engine.Nodes && ours && Struck(c) {
		return []engine.Key{r.key(c.Object.GetName())}
	}
	if c.Resource != engine.Namespaces || c.Type != watch.Added || c.Object.GetName() != corev1.NamespaceNodeLease {
		return nil
	}
	keys := make([]engine.Key, 0, len(r.cfg.Nodes))
	for _, n := range r.cfg.Nodes {
		keys = append(keys, r.key(n.Name))
	}
	return keys
}

// Remember implements engine.Rememberer: that the node is registered.
func (r *Reconciler) Remember(key engine.Key) ([]byte, error) {
	if r.registered[key.Name] {
		return []byte{}, nil
	}
	return nil, nil
}

// Recall implements engine.Rememberer. A Node that was deleted registers again, as
// when upstream's kubelet is started again.
func (r *Reconciler) Recall(_ context.Context, key engine.Key, _ []byte, _ time.Time) error {
	_, exists := engine.Get[*corev1.Node](r.view, engine.Nodes, "", key.Name)
	r.registered[key.Name] = exists
	return nil
}

// Reconcile implements engine.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, now time.Time) (engine.Wake, error) {
	n, ok := r.nodes[key.Name]
	if !ok {
		return engine.Wake{}, nil
	}
	p := decide(r.observe(n), now)
	if err := r.apply(ctx, n, p, now); err != nil {
		return engine.Wake{}, err
	}
	return engine.Upkeep(p.WakeAt), nil
}

// observe collects what decide looks at.
func (r *Reconciler) observe(n Node) observed {
	o := observed{Registered: r.registered[n.Name]}
	if obj, ok := engine.Get[*corev1.Node](r.view, engine.Nodes, "", n.Name); ok {
		o.Node = obj
	}
	if lease, ok := engine.Get[*coordinationv1.Lease](r.view, engine.Leases, corev1.NamespaceNodeLease, n.Name); ok {
		o.Lease = lease
	}
	_, o.LeaseNamespace = engine.Get[*corev1.Namespace](r.view, engine.Namespaces, "", corev1.NamespaceNodeLease)
	return o
}

// apply carries p out; it stops at the first error and the next step goes on.
func (r *Reconciler) apply(ctx context.Context, n Node, p plan, now time.Time) error {
	obj, err := r.applyNode(ctx, n, p, now)
	if err != nil || obj == nil || !p.RenewLease {
		return err
	}
	lease, fresh := renewed(r.observe(n).Lease, obj, now)
	if fresh {
		_, err = r.cfg.API.Create(ctx, Identity(n.Name), engine.Leases, lease)
	} else {
		_, err = r.cfg.API.Update(ctx, Identity(n.Name), engine.Leases, "", lease)
	}
	return err
}

// applyNode returns the Node as it is afterwards; nil if there is none.
func (r *Reconciler) applyNode(ctx context.Context, n Node, p plan, now time.Time) (*corev1.Node, error) {
	obj := r.observe(n).Node
	switch {
	case p.Register:
		created, err := r.cfg.API.Create(ctx, Identity(n.Name), engine.Nodes, r.object(n, now))
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return nil, err
		}
		if err != nil {
			return obj, nil
		}
		obj = created.(*corev1.Node)
	case p.Report:
		next := *obj
		next.Status = r.status(n, obj, now)
		updated, err := r.cfg.API.Update(ctx, Identity(n.Name), engine.Nodes, "status", &next)
		if err != nil {
			return nil, err
		}
		r.tellChanges(ctx, obj, updated.(*corev1.Node))
		obj = updated.(*corev1.Node)
	}
	if p.Reboot && obj != nil {
		p.Announce = true
		r.recorders[n.Name].Event(ctx, reference(obj), corev1.EventTypeWarning, "Rebooted", "Node %s has been rebooted, boot id: %s", n.Name, obj.Status.NodeInfo.BootID)
	}
	if p.Announce && obj != nil {
		r.registered[n.Name] = true
		r.announce(ctx, obj)
	}
	return obj, nil
}

// announce writes the Events of a kubelet's start.
func (r *Reconciler) announce(ctx context.Context, obj *corev1.Node) {
	rec := r.recorders[obj.Name]
	rec.Event(ctx, reference(obj), corev1.EventTypeNormal, "Starting", "Starting kubelet.")
	rec.Event(ctx, reference(obj), corev1.EventTypeNormal, "NodeAllocatableEnforced", "Updated Node Allocatable limit across pods")
	for _, c := range conditions(obj, time.Time{}) {
		r.tell(ctx, obj, c)
	}
}

// tellChanges writes the Events of the conditions that have changed.
func (r *Reconciler) tellChanges(ctx context.Context, old, obj *corev1.Node) {
	for _, c := range conditions(obj, time.Time{}) {
		if !has(old, c) && has(obj, c) {
			r.tell(ctx, obj, c)
		}
	}
}

// tell writes the Event of a condition.
func (r *Reconciler) tell(ctx context.Context, obj *corev1.Node, c corev1.NodeCondition) {
	reason := map[corev1.NodeConditionType]string{
		corev1.NodeMemoryPressure: "NodeHasSufficientMemory", corev1.NodeDiskPressure: "NodeHasNoDiskPressure",
		corev1.NodePIDPressure: "NodeHasSufficientPID", corev1.NodeReady: "NodeReady",
	}[c.Type]
	if c.Type != corev1.NodeReady && c.Status == corev1.ConditionTrue {
		reason = map[corev1.NodeConditionType]string{
			corev1.NodeMemoryPressure: "NodeHasInsufficientMemory", corev1.NodeDiskPressure: "NodeHasDiskPressure",
		}[c.Type]
	}
	r.recorders[obj.Name].Event(ctx, reference(obj), corev1.EventTypeNormal, reason, "Node %s status is now: %s", obj.Name, reason)
}

func reference(obj *corev1.Node) *corev1.ObjectReference {
	return &corev1.ObjectReference{APIVersion: "v1", Kind: "Node", Name: obj.Name, UID: obj.UID}
}
