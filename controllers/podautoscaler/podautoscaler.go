// Package podautoscaler runs HorizontalPodAutoscalers: each looks at its metrics every
// 15 s and sets how many replicas its target has.
//
// Invariant: what a look decides follows from the autoscaler, its target's scale, the
// Pods, the metrics and what the last minutes brought. Unlike upstream's, a restart does
// not forget the latter.
//
// It follows k8s.io/kubernetes pkg/controller/podautoscaler v1.37.2. What only computes is
// called: its ReplicaCalculator.
package podautoscaler

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
	upstream "k8s.io/kubernetes/pkg/controller/podautoscaler"
	"k8s.io/metrics/pkg/apis/metrics"
	"k8s.io/utils/ptr"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "podautoscaler"

// Scales reads the scale subresource of objects. It is written as any other.
type Scales interface {
	// Scale returns the scale of an object of a kind, and the resource where it is.
	Scale(ctx context.Context, who engine.Identity, kind schema.GroupKind, key types.NamespacedName) (*autoscalingv1.Scale, engine.Resource, error)
}

// Metrics knows what Pods use, as group metrics.k8s.io shows it.
type Metrics interface {
	PodMetrics(ctx context.Context, namespace string) ([]metrics.PodMetrics, error)
}

// Gates are the feature gates that change what an autoscaler does.
type Gates struct {
	// ScaleToZero is upstream's HPAScaleToZero, Generation HPAGeneration and Tolerance
	// HPAConfigurableTolerance.
	ScaleToZero, Generation, Tolerance bool
}

// Config is what a Reconciler needs.
type Config struct {
	engine.Host
	Scales  Scales
	Metrics Metrics
	Gates   Gates
}

// Reconciler reconciles HorizontalPodAutoscalers.
type Reconciler struct {
	engine.Notes[memory]
	view     *engine.View
	api      engine.API
	who      engine.Identity
	recorder *engine.EventRecorder
	scales   Scales
	metrics  Metrics
	gates    Gates
}

// memory is what is known of an autoscaler beside its object.
type memory struct {
	History history `json:"history,omitzero"`
	// Selector is that of its target's Pods, when it was last looked at.
	Selector string `json:"selector,omitempty"`
	// UnderWay is how many looks in a row have not come to rest, Failing how many have
	// found no metrics.
	UnderWay int `json:"underWay,omitempty"`
	Failing  int `json:"failing,omitempty"`
	// Generation is that of the last look, State is what it has come to, and Next is when
	// the next one is.
	Generation int64     `json:"generation,omitempty"`
	State      state     `json:"state,omitempty"`
	Next       time.Time `json:"next,omitzero"`
	// Relieved is how many looks are still to come in which load that has gone may show;
	// RelievedLooks counts those that there have been since there was nothing to scale down.
	Relieved      int `json:"relieved,omitempty"`
	RelievedLooks int `json:"relievedLooks,omitempty"`
}

var (
	_ engine.Retrier    = (*Reconciler)(nil)
	_ engine.Rememberer = (*Reconciler)(nil)
)

// New returns a Reconciler. It must be called before the engine starts.
func New(config Config) (*Reconciler, error) {
	var missing []error
	if config.Scales == nil {
		missing = append(missing, fmt.Errorf("%s: Config.Scales is nil: pass the API server's in-process client", Name))
	}
	if config.Metrics == nil {
		missing = append(missing, fmt.Errorf("%s: Config.Metrics is nil: pass what serves metrics.k8s.io", Name))
	}
	host := config.Host
	if err := host.ValidateTeller(Name, missing...); err != nil {
		return nil, err
	}
	host.View.Track(engine.HorizontalPodAutoscalers)
	return &Reconciler{
		view: host.View, api: host.API, recorder: host.Recorder, who: engine.ControllerIdentity("horizontal-pod-autoscaler"),
		scales: config.Scales, metrics: config.Metrics, gates: config.Gates, Notes: engine.Notes[memory]{},
	}, nil
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

// Retry implements engine.Retrier: a look that fails is followed by the next, as any other.
func (r *Reconciler) Retry(int, error) time.Duration { return SyncPeriod }

// Observe implements engine.Reconciler. What Pods and metrics do is seen by the next look.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	if pod, ok := c.Object.(*corev1.Pod); ok {
		return r.relieve(c, pod)
	}
	if c.Resource != engine.HorizontalPodAutoscalers {
		return nil
	}
	key := engine.Key{Controller: Name, Namespace: c.Object.GetNamespace(), Name: c.Object.GetName()}
	name := types.NamespacedName{Namespace: key.Namespace, Name: key.Name}
	m, looked := r.Notes[name]
	switch {
	case c.Type == watch.Deleted:
		delete(r.Notes, name)
	case looked && m.Generation == c.Object.GetGeneration():
		return nil // its status has changed
	}
	return []engine.Key{key}
}

// For how many looks in a row mode auto advances the clock: while something is decided for
// an hour, which is the longest that a behaviour looks back; while there are no metrics for
// two minutes, in which those of a new Pod come. Source: MaxStabilizationWindowSeconds in
// k8s.io/kubernetes pkg/apis/autoscaling/validation v1.37.2.
const (
	underWayMax = int(time.Hour / SyncPeriod)
	failingMax  = int(2 * time.Minute / SyncPeriod)
)

// Reconcile implements engine.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, now time.Time) (engine.Wake, error) {
	hpa, found := engine.Get[*autoscalingv2.HorizontalPodAutoscaler](r.view, engine.HorizontalPodAutoscalers, key.Namespace, key.Name)
	if !found {
		return engine.Wake{}, nil
	}
	name := types.NamespacedName{Namespace: key.Namespace, Name: key.Name}
	m := r.Notes[name]
	defer func() { r.Notes[name] = m }()
	if m.Generation != hpa.Generation {
		m.UnderWay, m.Failing, m.RelievedLooks = 0, 0, 0
	}
	if m.Generation == hpa.Generation && now.Before(m.Next) {
		return m.wake(), nil // a Pod has ended
	}
	m.Generation, m.Next = hpa.Generation, now.Add(SyncPeriod)
	var err error
	m.State, err = r.look(ctx, hpa, &m, now)
	if err != nil {
		return engine.Wake{}, err
	}
	if m.Relieved > 0 {
		m.Relieved--
		m.RelievedLooks++
	}
	if atLeast(hpa) {
		m.RelievedLooks = 0
	}
	switch m.State {
	case deciding:
		m.UnderWay++
	case failing:
		m.Failing++
	case resting:
		m.UnderWay, m.Failing = 0, 0
	}
	return m.wake(), nil
}

// wake is when to look again.
func (m *memory) wake() engine.Wake {
	switch {
	case m.Relieved > 0:
		return engine.Attempt(m.Next, m.RelievedLooks, underWayMax)
	case m.State == deciding:
		return engine.Attempt(m.Next, m.UnderWay, underWayMax)
	case m.State == failing:
		return engine.Attempt(m.Next, m.Failing, failingMax)
	}
	return engine.Routine(m.Next)
}

// relievedLooks is in how many looks the end of a load shows: the first window of metrics
// that has nothing of it ends at most 30 s later.
const relievedLooks = 3

// relieve lets mode auto advance the clock for the next looks of autoscalers when a Pod ends
// that is none of theirs: it may have been what they have scaled up for. An autoscaler that
// has no more than its least replicas has nothing to do then. Where Pods end all the time, such
// as those of a CronJob, that comes to underWayMax looks.
func (r *Reconciler) relieve(c engine.Commit, pod *corev1.Pod) []engine.Key {
	ended := podutil.IsPodTerminal(pod)
	if old, ok := c.Old.(*corev1.Pod); ok && podutil.IsPodTerminal(old) || ended == (c.Type == watch.Deleted) {
		return nil // it runs, or its end was seen before
	}
	var keys []engine.Key
	for _, name := range slices.SortedFunc(maps.Keys(r.Notes), func(a, b types.NamespacedName) int { return cmp.Compare(a.String(), b.String()) }) {
		m := r.Notes[name]
		hpa, found := engine.Get[*autoscalingv2.HorizontalPodAutoscaler](r.view, engine.HorizontalPodAutoscalers, name.Namespace, name.Name)
		if !found || atLeast(hpa) {
			continue
		}
		if own, err := labels.Parse(m.Selector); err != nil || name.Namespace == pod.Namespace && own.Matches(labels.Set(pod.Labels)) {
			continue
		}
		m.Relieved = relievedLooks
		r.Notes[name] = m
		keys = append(keys, engine.Key{Controller: Name, Namespace: name.Namespace, Name: name.Name})
	}
	return keys
}

// atLeast reports whether an autoscaler wants no more than its least replicas.
func atLeast(hpa *autoscalingv2.HorizontalPodAutoscaler) bool {
	return hpa.Status.DesiredReplicas <= ptr.Deref(hpa.Spec.MinReplicas, 1)
}

// look decides, rescales and writes the status.
func (r *Reconciler) look(ctx context.Context, hpa *autoscalingv2.HorizontalPodAutoscaler, m *memory, now time.Time) (state, error) {
	d := &decision{hpa: hpa.DeepCopy(), history: &m.History, gates: r.gates, now: now, tolerances: tolerancesOf(hpa, r.gates.Tolerance)}
	known := pods{view: r.view, namespace: hpa.Namespace, now: now}
	d.calculator = upstream.NewReplicaCalculator(podMetrics{r.metrics, known}, known, never, initialReadinessDelay)
	d.others = func(selector labels.Selector) []string {
		m.Selector = selector.String()
		return r.selecting(hpa, selector)
	}
	state := r.act(ctx, d)
	for _, e := range d.events {
		r.recorder.Event(ctx, engine.Reference(hpa, "autoscaling/v2", "HorizontalPodAutoscaler"), e.kind, e.reason, "%s", e.message)
	}
	if equality.Semantic.DeepEqual(hpa.Status, d.hpa.Status) {
		return state, nil
	}
	_, err := r.api.Update(ctx, r.who, engine.HorizontalPodAutoscalers, "status", d.hpa)
	if apierrors.IsNotFound(err) {
		return state, nil
	}
	return state, err
}

// act decides and rescales.
func (r *Reconciler) act(ctx context.Context, d *decision) state {
	ref := d.hpa.Spec.ScaleTargetRef
	gv, err := schema.ParseGroupVersion(ref.APIVersion)
	if err != nil {
		d.noScale(err)
		return resting
	}
	scale, resource, err := r.scales.Scale(ctx, r.who, schema.GroupKind{Group: gv.Group, Kind: ref.Kind}, types.NamespacedName{Namespace: d.hpa.Namespace, Name: ref.Name})
	if err != nil {
		d.noScale(err)
		return resting
	}
	current := scale.Spec.Replicas
	to, err := d.decide(ctx, scale)
	if to == nil {
		return d.state(scale, err)
	}
	next := scale.DeepCopy()
	next.Spec.Replicas = to.replicas
	if _, err := r.api.Update(ctx, r.who, resource, "scale", next); err != nil {
		d.refused(to, err)
		return failing
	}
	d.rescaled(current, to)
	return deciding
}

// selecting names the autoscalers, this one first, that select a Pod which selector does
// too.
func (r *Reconciler) selecting(hpa *autoscalingv2.HorizontalPodAutoscaler, selector labels.Selector) []string {
	found := []string{hpa.Namespace + "/" + hpa.Name}
	for _, other := range engine.List[*autoscalingv2.HorizontalPodAutoscaler](r.view, engine.HorizontalPodAutoscalers, hpa.Namespace) {
		theirs, err := labels.Parse(r.Notes[types.NamespacedName{Namespace: other.Namespace, Name: other.Name}].Selector)
		if other.Name == hpa.Name || err != nil || theirs.Empty() {
			continue
		}
		for _, pod := range engine.List[*corev1.Pod](r.view, engine.Pods, hpa.Namespace) {
			if selector.Matches(labels.Set(pod.Labels)) && theirs.Matches(labels.Set(pod.Labels)) {
				return append(found, other.Namespace+"/"+other.Name)
			}
		}
	}
	return found
}
