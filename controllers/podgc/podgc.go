// Package podgc deletes Pods that nobody else will: those on Nodes that are
// gone, those that end without ever having had a Node, and the oldest of too
// many finished ones.
//
// Invariant: a Pod that has not finished is marked Failed before it is deleted
// by force, so that its controller counts it.
//
// It follows k8s.io/kubernetes pkg/controller/podgc v1.37.2.
//
// Deviation: upstream looks every 20 seconds; here each case has its own wake,
// at the earliest instant at which upstream could act, or 20 seconds later
// where another controller usually is first.
package podgc

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
	"k8s.io/kubernetes/pkg/controller/podgc/metrics"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "podgc"

// TerminatedPodThresholdDefault is how many finished Pods are kept. Source:
// RecommendedDefaultPodGCControllerConfiguration, k8s.io/kubernetes
// pkg/controller/podgc/config/v1alpha1 v1.37.2.
const TerminatedPodThresholdDefault = 12500

// PeriodDefault and QuarantineDefault are upstream's waits. Unit: virtual time.
// Source: gcCheckPeriod and quarantineTime, k8s.io/kubernetes
// pkg/controller/podgc v1.37.2.
const (
	PeriodDefault     = 20 * time.Second
	QuarantineDefault = 40 * time.Second
)

// Config is what a Reconciler needs.
type Config struct {
	engine.Host
	// TerminatedPodThreshold is how many finished Pods are kept; 0 keeps all.
	TerminatedPodThreshold int
	// Period is how long a sweep waits for the next, and a Pod without a Node for
	// whoever usually deletes it; Quarantine is how long a Node may be missing.
	// Unit: virtual time.
	Period, Quarantine time.Duration
}

func (c *Config) validate() error {
	var errs []error
	if c.TerminatedPodThreshold < 0 {
		errs = append(errs, fmt.Errorf("podgc: Config.TerminatedPodThreshold is %d: want 0 or more", c.TerminatedPodThreshold))
	}
	if c.Period <= 0 || c.Quarantine <= 0 {
		errs = append(errs, errors.New("podgc: Config.Period and Config.Quarantine must be positive: pass PeriodDefault and QuarantineDefault"))
	}
	return c.Validate(Name, errs...)
}

// Reconciler reconciles Pods ("pods/<name>"), Nodes ("nodes/<name>") and the
// number of finished Pods ("terminated").
type Reconciler struct {
	view               *engine.View
	api                engine.API
	who                engine.Identity
	threshold          int
	period, quarantine time.Duration
	// terminated counts the finished Pods; sweep is when the next sweep may be.
	terminated int
	sweep      time.Time
	// missing is since when Nodes are missed.
	missing map[string]time.Time
}

var _ engine.Rememberer = (*Reconciler)(nil)

// New returns a Reconciler. It must be called before the engine starts.
func New(cfg Config) (*Reconciler, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	metrics.RegisterMetrics()
	cfg.View.Track(engine.Pods, engine.Nodes)
	return &Reconciler{
		view: cfg.View, api: cfg.API, threshold: cfg.TerminatedPodThreshold, period: cfg.Period, quarantine: cfg.Quarantine,
		who:     engine.ControllerIdentity("pod-garbage-collector"),
		missing: map[string]time.Time{},
	}, nil
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

const (
	podKind        = "pods"
	nodeKind       = "nodes"
	terminatedKind = "terminated"
)

// Observe implements engine.Reconciler. It also counts finished Pods.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	switch obj := c.Object.(type) {
	case *corev1.Node:
		if c.Type == watch.Deleted || outOfService(obj) {
			return []engine.Key{{Controller: Name, Kind: nodeKind, Name: obj.Name}}
		}
	case *corev1.Pod:
		old, _ := c.Old.(*corev1.Pod)
		return r.podKeys(old, obj, c.Type == watch.Deleted)
	}
	return nil
}

func (r *Reconciler) podKeys(old, pod *corev1.Pod, deleted bool) []engine.Key {
	var keys []engine.Key
	if r.count(old, pod, deleted) && r.threshold > 0 && r.terminated > r.threshold {
		keys = append(keys, engine.Key{Controller: Name, Kind: terminatedKind})
	}
	if deleted {
		return keys
	}
	leaving := pod.DeletionTimestamp != nil && (old == nil || old.DeletionTimestamp == nil)
	if pod.Spec.NodeName == "" {
		if leaving {
			keys = append(keys, engine.Key{Controller: Name, Kind: podKind, Namespace: pod.Namespace, Name: pod.Name})
		}
		return keys
	}
	if bound := old == nil || old.Spec.NodeName == ""; (bound || leaving) && r.forsaken(pod, leaving) {
		keys = append(keys, engine.Key{Controller: Name, Kind: nodeKind, Name: pod.Spec.NodeName})
	}
	return keys
}

// Remember implements engine.Rememberer: since when a Node is missed, or when the
// next sweep may be.
func (r *Reconciler) Remember(key engine.Key) ([]byte, error) {
	var at time.Time
	switch key.Kind {
	case nodeKind:
		at = r.missing[key.Name]
	case terminatedKind:
		at = r.sweep
	}
	if at.IsZero() {
		return nil, nil
	}
	return []byte(at.Format(time.RFC3339Nano)), nil
}

// Recall implements engine.Rememberer.
func (r *Reconciler) Recall(_ context.Context, key engine.Key, note []byte, _ time.Time) error {
	at, err := time.Parse(time.RFC3339Nano, string(note))
	switch {
	case err != nil:
		return err
	case key.Kind == terminatedKind:
		r.sweep = at
	default:
		r.missing[key.Name] = at
	}
	return nil
}

// count keeps the number of finished Pods and reports whether it has grown.
func (r *Reconciler) count(old, pod *corev1.Pod, deleted bool) bool {
	was, is := old != nil && podutil.IsPodTerminal(old), !deleted && podutil.IsPodTerminal(pod)
	if was && !is {
		r.terminated--
	}
	if is && !was {
		r.terminated++
	}
	return is && !was
}

// forsaken reports whether a bound Pod has no kubelet to look after it.
func (r *Reconciler) forsaken(pod *corev1.Pod, leaving bool) bool {
	node, ok := engine.Get[*corev1.Node](r.view, engine.Nodes, "", pod.Spec.NodeName)
	return !ok || leaving && outOfService(node)
}

// apply deletes the Pods. One that cannot be deleted holds up no other; the next
// step tries it again.
func (r *Reconciler) apply(ctx context.Context, p plan, now time.Time) error {
	var errs []error
	for _, pod := range p.Delete {
		err := r.deletePod(ctx, pod, p.Reason == metrics.PodGCReasonOrphaned, now)
		metrics.DeletingPodsTotal.WithLabelValues(pod.Namespace, p.Reason).Inc()
		if err != nil {
			metrics.DeletingPodsErrorTotal.WithLabelValues(pod.Namespace, p.Reason).Inc()
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// deletePod marks the Pod Failed, unless it has finished, and deletes it.
func (r *Reconciler) deletePod(ctx context.Context, pod *corev1.Pod, orphaned bool, now time.Time) error {
	if !podutil.IsPodTerminal(pod) {
		if _, err := r.api.Update(ctx, r.who, engine.Pods, "status", failed(pod, orphaned, now)); err != nil {
			return ignoreNotFound(err)
		}
	}
	zero := int64(0)
	err := r.api.Delete(ctx, r.who, engine.Pods, types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name},
		metav1.DeleteOptions{GracePeriodSeconds: &zero})
	return ignoreNotFound(err)
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
