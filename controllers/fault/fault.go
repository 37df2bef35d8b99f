// Package fault lets things go wrong as Fault objects say.
//
// Invariant: which request or node is hit follows from the seed and from the order in
// which requests are made. Those of controllers and kubelets are made by the engine,
// one after the other; they have a sequence of draws of their own, so that no client
// changes which of them are hit, unless a limit counts both.
//
// A request is judged where it is made: by the [API] that reconcilers write to, and for
// clients by [Reconciler.Meet]. What a Fault does to a node it says in an annotation of
// the Node, which the node's kubelet follows.
package fault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "fault"

const faults engine.Resource = "faults." + v1alpha1.GroupName

// Config is what a Reconciler needs.
type Config struct {
	// Engine runs the reconciler.
	Engine *engine.Engine
	// API is written to. It must not be one of the Reconciler's own.
	API engine.API
}

func (c *Config) validate() error {
	var errs []error
	if c.Engine == nil {
		errs = append(errs, errors.New("fault: Config.Engine is nil: pass the engine"))
	}
	if c.API == nil {
		errs = append(errs, errors.New("fault: Config.API is nil: pass the API server's in-process client"))
	}
	return errors.Join(errs...)
}

// Reconciler follows the schedules of Faults.
type Reconciler struct {
	engine   *engine.Engine
	view     *engine.View
	api      engine.API
	who      engine.Identity
	recorder *engine.EventRecorder

	// mu guards what follows: clients' requests are judged on their own goroutines.
	mu      sync.Mutex
	records map[string]*record
	watches watches
}

var _ engine.Rememberer = (*Reconciler)(nil)

// New returns a Reconciler. It must be called before the engine starts.
func New(cfg Config) (*Reconciler, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	r := &Reconciler{
		engine: cfg.Engine, view: cfg.Engine.View(), api: cfg.API, who: engine.ControllerIdentity("fault-controller"),
		records: map[string]*record{},
	}
	r.recorder = cfg.Engine.NewEventRecorder(cfg.API, r.who, engine.Source{Component: "kubesim"})
	r.view.Track(faults, engine.Nodes, engine.Pods, engine.PodDisruptionBudgets)
	return r, nil
}

// record is what is known of one Fault.
type record struct {
	note
	name string
	spec *v1alpha1.FaultSpec
	// active: it hits what matches.
	active bool
}

// note is the part of it that outlives the process.
type note struct {
	UID types.UID
	// Activations are those that have had their effect.
	Activations int32
	// Seen counts the matching requests, by kind.
	Seen [requestKinds]int64
	Hits int64
	Last time.Time
	// Forgotten is the revision before which expire has no history.
	Forgotten int64 `json:",omitempty"`
	// Delayed are the requests that take their time, by the step that makes them.
	Delayed map[string]delayed `json:",omitempty"`
}

// delayed is a request under way.
type delayed struct {
	Request string
	Until   time.Time
}

// requestKind tells apart the requests that are drawn for one after the other.
type requestKind int

const (
	localRequest requestKind = iota
	// clients' writes come one after the other, their reads at any time.
	clientWrite
	clientRead
	requestKinds
)

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

func key(name string) engine.Key { return engine.Key{Controller: Name, Name: name} }

// Observe implements engine.Reconciler: Faults, and those that a Node may concern.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	switch c.Resource {
	case faults:
		f := c.Object.(*v1alpha1.Fault)
		if old, ok := c.Old.(*v1alpha1.Fault); ok && c.Type == watch.Modified && old.UID == f.UID && apiequality.Semantic.DeepEqual(&old.Spec, &f.Spec) {
			return nil // a status, which is ours
		}
		return []engine.Key{key(f.Name)}
	case engine.Nodes:
		return r.keysOfNode(c)
	case engine.PodDisruptionBudgets:
		return r.keysOfDrains()
	}
	return nil
}

// Reconcile implements engine.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, k engine.Key, now time.Time) (engine.Wake, error) {
	f, ok := engine.Get[*v1alpha1.Fault](r.view, faults, "", k.Name)
	if !ok {
		r.mu.Lock()
		delete(r.records, k.Name)
		r.mu.Unlock()
		return engine.Wake{}, r.releaseNodes(ctx, k.Name)
	}
	rec, m := r.look(f, now)
	next, err := r.writeStatus(ctx, f, rec, m)
	if err != nil || next == nil {
		return engine.Wake{}, err
	}
	if m.Activations > rec.Activations {
		r.activate(ctx, next, rec)
	}
	if f.Status.State == v1alpha1.FaultActive && m.State != v1alpha1.FaultActive {
		r.event(ctx, f, "Deactivated", "The fault is over; hits: %d", rec.Hits)
	}
	r.mu.Lock()
	rec.Activations = m.Activations
	r.mu.Unlock()
	if f.Spec.OfNodes() {
		wake, err := r.syncNodes(ctx, f, rec, m, now)
		return wake.Sooner(engine.Routine(m.Next)), err
	}
	return engine.Routine(m.Next), nil
}

// look brings the record of f up to date.
func (r *Reconciler) look(f *v1alpha1.Fault, now time.Time) (*record, moment) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rec := r.records[f.Name]
	if rec == nil || rec.UID != f.UID {
		rec = &record{name: f.Name, note: note{UID: f.UID, Activations: f.Status.Activations, Hits: f.Status.Hits}}
		rec.Seen[localRequest] = f.Status.Matches
		if f.Status.LastHitTime != nil {
			rec.Last = f.Status.LastHitTime.Time
		}
		r.records[f.Name] = rec
	}
	m := schedule(f, now)
	rec.spec = &f.Spec
	if rec.spent() {
		m.State, m.Next = v1alpha1.FaultEnded, time.Time{}
	}
	rec.active = m.State == v1alpha1.FaultActive
	for step, d := range rec.Delayed {
		if d.Until.Before(now) { // its step did not ask again
			delete(rec.Delayed, step)
		}
	}
	return rec, m
}

// spent reports whether the Fault has had all its hits.
func (rec *record) spent() bool {
	return rec.spec.Limit != nil && rec.Hits >= int64(*rec.spec.Limit)
}

// writeStatus returns the Fault as it then is, nil if it is gone.
func (r *Reconciler) writeStatus(ctx context.Context, f *v1alpha1.Fault, rec *record, m moment) (*v1alpha1.Fault, error) {
	r.mu.Lock()
	status := v1alpha1.FaultStatus{State: m.State, Activations: m.Activations, Hits: rec.Hits}
	for _, n := range rec.Seen {
		status.Matches += n
	}
	if !rec.Last.IsZero() {
		last := metav1.NewTime(rec.Last.Truncate(time.Second))
		status.LastHitTime = &last
	}
	r.mu.Unlock()
	if !m.Next.IsZero() {
		at := metav1.NewTime(m.Next.Truncate(time.Second))
		status.NextTransitionTime = &at
	}
	if apiequality.Semantic.DeepEqual(f.Status, status) {
		return f, nil
	}
	next := *f
	next.Status, next.ResourceVersion = status, "" // nobody else writes it
	obj, err := r.api.Update(ctx, r.who, faults, "status", &next)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return obj.(*v1alpha1.Fault), nil
}

// activate does what a Fault does once each time that it becomes active.
func (r *Reconciler) activate(ctx context.Context, f *v1alpha1.Fault, rec *record) {
	r.event(ctx, f, "Activated", "The fault is active: %s", f.Spec.Effect())
	if f.Spec.DropWatch == nil && f.Spec.Expire == nil {
		return
	}
	r.mu.Lock()
	if f.Spec.Expire != nil {
		rec.Forgotten = revision(f.ResourceVersion)
	}
	r.mu.Unlock()
	r.closeWatches(rec)
}

func (r *Reconciler) event(ctx context.Context, f *v1alpha1.Fault, reason, format string, args ...any) {
	r.recorder.Event(ctx, engine.Reference(f, v1alpha1.GroupVersion().String(), "Fault"), corev1.EventTypeNormal, reason, format, args...)
}

// drawn says whether the Fault hits what is the n-th of its kind.
func (r *Reconciler) drawn(rec *record, kind string, n int64) bool {
	if rec.spec.Percent == nil {
		return true
	}
	number := r.engine.Random().Derive(fmt.Sprintf("fault/%s/%s/%d", rec.UID, kind, n))
	share, _ := bits.Mul64(number, 100) // of the high bits: the low ones of a hash like FNV's are poor
	return share < uint64(*rec.spec.Percent)
}

// Remember implements engine.Rememberer.
func (r *Reconciler) Remember(k engine.Key) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rec := r.records[k.Name]
	if rec == nil {
		return nil, nil
	}
	return json.Marshal(rec.note)
}

// Recall implements engine.Rememberer.
func (r *Reconciler) Recall(_ context.Context, k engine.Key, data []byte, now time.Time) error {
	f, ok := engine.Get[*v1alpha1.Fault](r.view, faults, "", k.Name)
	if !ok {
		return nil
	}
	var n note
	if err := json.Unmarshal(data, &n); err != nil {
		return err
	}
	if n.UID != f.UID {
		return nil
	}
	r.mu.Lock()
	r.records[f.Name] = &record{name: f.Name, note: n}
	r.mu.Unlock()
	r.look(f, now)
	return nil
}
