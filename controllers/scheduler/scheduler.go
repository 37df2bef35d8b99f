// Package scheduler binds Pods to Nodes.
//
// Invariant: a Pod is bound only to a Node that passes every filter of upstream's default
// profile with what is bound there already. What is bound is kept up with each commit, so that
// a plain Pod costs the same with 100 others as with 100,000.
//
// It follows k8s.io/kubernetes pkg/scheduler v1.37.2: the plugins are upstream's (profile), and
// plain Pods have a shorter way that comes to the same (plain.go).
//
// Deviation: a Pod whose volumes are being made keeps nothing of its Node until it
// is bound, and waits for them as long as it takes, where upstream gives up after
// ten minutes and tries again.
//
// Deviation: a Pod that fits nowhere is tried again as soon as something has happened that may
// help it, without upstream's back-off of 1 to 10 seconds, and not for the mere reason that it
// has waited for five minutes.
package scheduler

import (
	"context"
	"errors"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	schedulinghelper "k8s.io/component-helpers/scheduling/corev1"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/feature"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/scheduler/profile"
	"github.com/kubesim-dev/kubesim/controllers/scheduler/snapshot"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "scheduler"

// Config is what a Reconciler needs.
type Config struct {
	engine.Host
	// Random breaks ties between Nodes.
	Random *engine.Random
	// Features are the gates that upstream's plugins look at.
	Features feature.Features
}

func (c *Config) validate() error {
	var errs []error
	if c.Random == nil {
		errs = append(errs, errors.New("scheduler: Config.Random is nil: pass the engine's Random"))
	}
	return c.ValidateTeller(Name, errs...)
}

// Reconciler schedules Pods.
type Reconciler struct {
	view     *engine.View
	api      engine.API
	recorder *engine.EventRecorder
	random   *engine.Random
	who      engine.Identity
	snapshot *snapshot.Snapshot
	profile  *profile.Profile
	waiting  *waiting
	active   *active
	// spreadsAsUsual says that the gates of PodTopologySpread are as spread.go knows them.
	spreadsAsUsual bool
}

var _ engine.Rememberer = (*Reconciler)(nil)

// New returns a Reconciler. It must be called before the engine starts.
func New(cfg Config) (*Reconciler, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg.View.Track(profile.Resources()...)
	cfg.View.Index(engine.Pods, podsByClaim, claimsOf)
	nodes := snapshot.New()
	plugins, err := profile.New(profile.Config{View: cfg.View, Snapshot: nodes, Features: cfg.Features})
	if err != nil {
		return nil, err
	}
	return &Reconciler{
		view: cfg.View, api: cfg.API, recorder: cfg.Recorder, random: cfg.Random,
		who:      engine.Identity{User: "system:kube-scheduler", Groups: []string{"system:authenticated"}},
		snapshot: nodes, profile: plugins, waiting: newWaiting(), active: newActive(),
		spreadsAsUsual: cfg.Features.EnableNodeInclusionPolicyInPodTopologySpread && cfg.Features.EnableMatchLabelKeysInPodTopologySpread,
	}, nil
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

// schedulable reports whether pod waits for this scheduler.
func schedulable(pod *corev1.Pod) bool {
	return pod.Spec.NodeName == "" && pod.Spec.SchedulerName == corev1.DefaultSchedulerName &&
		len(pod.Spec.SchedulingGates) == 0 && pod.DeletionTimestamp == nil && !podutil.IsPodTerminal(pod)
}

// Remember implements engine.Rememberer: that a Pod fits nowhere, and which plugins have
// refused it.
func (r *Reconciler) Remember(key engine.Key) ([]byte, error) {
	plugins, ok := r.waiting.refusedBy(types.NamespacedName{Namespace: key.Namespace, Name: key.Name})
	if !ok {
		return nil, nil
	}
	return []byte(strings.Join(plugins, ",")), nil
}

// Recall implements engine.Rememberer. Which Pods of a shape have been tried
// since something changed is not remembered: a new wave begins.
func (r *Reconciler) Recall(_ context.Context, key engine.Key, note []byte, _ time.Time) error {
	pod, ok := engine.Get[*corev1.Pod](r.view, engine.Pods, key.Namespace, key.Name)
	if ok && schedulable(pod) {
		var plugins []string
		if len(note) > 0 {
			plugins = strings.Split(string(note), ",")
		}
		r.waiting.add(pod, plugins, r.labelsMatter())
	}
	return nil
}

// Reconcile implements engine.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, now time.Time) (engine.Wake, error) {
	name := types.NamespacedName{Namespace: key.Namespace, Name: key.Name}
	pod, found := engine.Get[*corev1.Pod](r.view, engine.Pods, key.Namespace, key.Name)
	if !found || !schedulable(pod) {
		r.active.remove(name)
		return engine.Wake{}, nil
	}
	if r.active.yields(name, schedulinghelper.PodPriority(pod)) {
		return engine.Progress(now), nil
	}
	return engine.Wake{}, r.schedule(ctx, pod, now)
}

// schedule decides where a Pod goes and applies that.
func (r *Reconciler) schedule(ctx context.Context, pod *corev1.Pod, now time.Time) error {
	node, failure, err := r.decide(ctx, pod, r.random.Derive("scheduler/"+string(pod.UID)))
	switch {
	case err != nil:
		why := refusal{Reason: corev1.PodReasonSchedulerError, Failure: profile.Failure{Message: err.Error(), Nominate: true}}
		return errors.Join(err, r.refuse(ctx, pod, why, now))
	case failure != nil:
		return r.refuse(ctx, pod, refusal{Reason: corev1.PodReasonUnschedulable, Failure: *failure}, now)
	}
	return r.bind(ctx, pod, node)
}

// decide holds the Pod against each Node, in order of their names, and takes the best; draw
// chooses among equals.
func (r *Reconciler) decide(ctx context.Context, pod *corev1.Pod, draw uint64) (*corev1.Node, *profile.Failure, error) {
	best, ok := r.place(pod)
	if !ok {
		result, err := r.profile.Schedule(ctx, pod, draw)
		if err != nil || result.Failure != nil {
			return nil, result.Failure, err
		}
		best = result.Best
	}
	return best[draw%uint64(len(best))].Node(), nil, nil
}

func nameOf(pod *corev1.Pod) types.NamespacedName {
	return types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}
}
