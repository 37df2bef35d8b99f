// Package job runs Jobs: it creates their Pods, counts how they end, and
// declares the Job complete or failed.
//
// Invariant: every Pod counts once. A finished Pod's UID is first written to
// status.uncountedTerminatedPods, then its finalizer goes, then the UID turns
// into a number; whatever is interrupted in between is taken up again from the
// API objects alone. The end of a Job is judged in one order, see finish.go.
//
// It follows k8s.io/kubernetes pkg/controller/job v1.37.2, with the feature
// gates that are on by default in that release.
//
// Deviation: there are no expectations: the engine reads its own writes.
package job

import (
	"cmp"
	"context"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/kubernetes/pkg/controller/job/metrics"
	jobutil "k8s.io/kubernetes/pkg/controller/job/util"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/workload"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "job"

// Config is what a Reconciler needs.
type Config struct {
	engine.Host
	// Gates are the feature gates that concern Jobs.
	Gates Gates
	// Limits are usually DefaultLimits.
	Limits Limits
}

// Gates are the feature gates of upstream's controller that are not locked, and
// whose features there are here.
type Gates struct {
	// MutableSchedulingDirectivesForSuspendedJobs: a Job that is suspended has no
	// startTime, so that its scheduling directives may change.
	MutableSchedulingDirectivesForSuspendedJobs bool
}

func (c *Config) validate() error {
	return c.ValidateTeller(Name, c.Limits.validate())
}

// Reconciler reconciles Jobs.
type Reconciler struct {
	view     *engine.View
	api      engine.API
	recorder *engine.EventRecorder
	who      engine.Identity
	pods     workload.Control
	rules    rules
	// Notes hold what unfinished Jobs need beyond their API objects.
	engine.Notes[memory]
}

// memory is what the controller remembers about one Job from step to step. All
// of it can be rebuilt, at worst less exactly, when a restart has lost it.
type memory struct {
	UID types.UID
	// Backoff includes the failures of Pods that are gone by now.
	Backoff backoffRecord
	// CreationFailures counts steps in a row that could not create a Pod.
	CreationFailures int
}

var (
	_ engine.Batcher    = (*Reconciler)(nil)
	_ engine.Rememberer = (*Reconciler)(nil)
	_ engine.Retrier    = (*Reconciler)(nil)
)

// New returns a Reconciler. It must be called before the engine starts.
func New(cfg Config) (*Reconciler, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	metrics.Register()
	cfg.View.Index(engine.Pods, podIndex, podIndexValues)
	cfg.View.Index(engine.Jobs, selectorIndex, selectorIndexValues)
	who := engine.ControllerIdentity("job-controller")
	return &Reconciler{
		view: cfg.View, api: cfg.API, recorder: cfg.Recorder, rules: rules{cfg.Gates, cfg.Limits}, who: who,
		pods:  workload.Control{API: cfg.API, Recorder: cfg.Recorder, Who: who, Kind: kind(), Finalizer: batchv1.JobTrackingFinalizer},
		Notes: engine.Notes[memory]{},
	}, nil
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

// Reconcile implements engine.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, now time.Time) (engine.Wake, error) {
	if key.Kind == orphanKind {
		return engine.Wake{}, r.reconcileOrphan(ctx, key.Namespace, key.Name)
	}
	name := types.NamespacedName{Namespace: key.Namespace, Name: key.Name}
	job, found := engine.Get[*batchv1.Job](r.view, engine.Jobs, key.Namespace, key.Name)
	owned := engine.ByIndex[*corev1.Pod](r.view, engine.Pods, podIndex, liveKey(key.Namespace, key.Name))
	if !found {
		delete(r.Notes, name)
		return engine.Wake{}, r.unfinalize(ctx, strays(owned, ""))
	}
	if err := r.unfinalize(ctx, strays(owned, job.UID)); err != nil {
		return engine.Wake{}, err
	}
	if managedByOther(job) {
		return engine.Wake{}, nil
	}
	if jobutil.IsJobFinished(job) {
		delete(r.Notes, name)
		return engine.Wake{}, r.unfinalize(ctx, withFinalizer(owned))
	}
	if unknownCompletionMode(job) {
		r.event(ctx, job, event{corev1.EventTypeWarning, "UnknownCompletionMode", "Skipped Job sync because completion mode is unknown"})
		return engine.Wake{}, nil
	}
	return r.sync(ctx, job, owned, now)
}

// sync brings an unfinished Job that is ours one step on.
func (r *Reconciler) sync(ctx context.Context, job *batchv1.Job, owned []*corev1.Pod, now time.Time) (engine.Wake, error) {
	pods, err := r.claimPods(ctx, job, owned)
	if err != nil {
		recordSync(job, metrics.JobSyncActionReconciling, err)
		return engine.Wake{}, err
	}
	m := r.remember(job)
	p := decide(job, pods, m.Backoff, r.rules, now)
	wake, refused, err := r.apply(ctx, job, m, p, now)
	recordSync(job, p.Tale.Action, cmp.Or(err, refused))
	return wake, err
}

// remember returns the Job's memory, rebuilt from its Pods if there is none.
func (r *Reconciler) remember(job *batchv1.Job) memory {
	name := types.NamespacedName{Namespace: job.Namespace, Name: job.Name}
	if m, ok := r.Notes[name]; ok && m.UID == job.UID {
		return m
	}
	m := memory{UID: job.UID}
	if job.Status.Failed > 0 {
		counted := engine.ByIndex[*corev1.Pod](r.view, engine.Pods, podIndex, countedKey(job.UID))
		m.Backoff = rebuildBackoff(job, counted)
	}
	return m
}

// event is one Event about a Job.
type event struct {
	Type, Reason, Message string
}

func (r *Reconciler) event(ctx context.Context, job *batchv1.Job, e event) {
	r.recorder.Event(ctx, engine.Reference(job, "batch/v1", "Job"), e.Type, e.Reason, "%s", e.Message)
}
