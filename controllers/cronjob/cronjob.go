// Package cronjob runs CronJobs: it creates a Job at each scheduled time, keeps
// account of those that run, and removes the oldest that have ended.
//
// Invariant: a scheduled time has at most one Job, because its name is made from
// the two; whatever is interrupted between the Job and the status is taken up
// again from the API objects alone. Of several scheduled times that were missed
// only the last one has a Job.
//
// It follows k8s.io/kubernetes pkg/controller/cronjob v1.37.2.
//
// Deviation: a Job is created at its scheduled time exactly. Upstream waits
// 100 ms longer, for clocks that differ; here there is one clock.
package cronjob

import (
	"context"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/kubernetes/pkg/controller/cronjob/metrics"
	"k8s.io/utils/ptr"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "cronjob"

// jobIndex is the View's index of Jobs by the UID of the CronJob that controls
// them.
const jobIndex = "cronjob"

// Reconciler reconciles CronJobs.
type Reconciler struct {
	view     *engine.View
	api      engine.API
	recorder *engine.EventRecorder
	who      engine.Identity
	engine.Notes[memory]
}

// memory is what a CronJob was at its last step. A new schedule takes effect at
// its next time, where anything else takes effect at once; the object does not
// say what has changed.
type memory struct {
	UID      types.UID
	Schedule string
	TimeZone string `json:",omitempty"`
	// WakeAt is when the next step is due.
	WakeAt time.Time
}

var (
	_ engine.Rememberer = (*Reconciler)(nil)
	_ engine.Periodic   = (*Reconciler)(nil)
)

// New returns a Reconciler. It must be called before the engine starts.
func New(host engine.Host) (*Reconciler, error) {
	if err := host.ValidateTeller(Name); err != nil {
		return nil, err
	}
	metrics.Register()
	host.View.Track(engine.CronJobs)
	host.View.Index(engine.Jobs, jobIndex, func(obj engine.Object) []string {
		if ref := cronJobOf(obj); ref != nil {
			return []string{string(ref.UID)}
		}
		return nil
	})
	return &Reconciler{
		view: host.View, api: host.API, recorder: host.Recorder,
		who:   engine.ControllerIdentity("cronjob-controller"),
		Notes: engine.Notes[memory]{},
	}, nil
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

// Periodic implements engine.Periodic: time does not move on to the
// next start because of what a schedule has started.
func (r *Reconciler) Periodic() {}

// Observe implements engine.Reconciler.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	switch c.Resource {
	case engine.CronJobs:
		return []engine.Key{{Controller: Name, Namespace: c.Object.GetNamespace(), Name: c.Object.GetName()}}
	case engine.Jobs:
		keys := r.controllers(c.Object)
		if c.Old != nil && c.Type == watch.Modified {
			keys = append(keys, r.controllers(c.Old)...)
		}
		return slices.Compact(keys)
	}
	return nil
}

// controllers returns the key of the CronJob that controls a Job, if it is there.
func (r *Reconciler) controllers(job engine.Object) []engine.Key {
	ref := cronJobOf(job)
	if ref == nil {
		return nil
	}
	cj, found := engine.Get[*batchv1.CronJob](r.view, engine.CronJobs, job.GetNamespace(), ref.Name)
	if !found || cj.UID != ref.UID {
		return nil
	}
	return []engine.Key{{Controller: Name, Namespace: cj.Namespace, Name: cj.Name}}
}

func cronJobOf(job engine.Object) *metav1.OwnerReference {
	ref := metav1.GetControllerOfNoCopy(job)
	if ref == nil || ref.Kind != "CronJob" {
		return nil
	}
	return ref
}

// Reconcile implements engine.Reconciler.
//
// The wake is recurring: a schedule goes on forever, and mode auto must not.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, now time.Time) (engine.Wake, error) {
	name := types.NamespacedName{Namespace: key.Namespace, Name: key.Name}
	cj, found := engine.Get[*batchv1.CronJob](r.view, engine.CronJobs, key.Namespace, key.Name)
	if !found {
		delete(r.Notes, name)
		return engine.Wake{}, nil
	}
	p := decide(state{
		CronJob: cj, Before: r.Notes[name], Listed: r.listed(cj.Status.Active),
		Jobs: engine.ByIndex[*batchv1.Job](r.view, engine.Jobs, jobIndex, string(cj.UID)),
	}, now)
	err := r.apply(ctx, cj, p)
	m := memoryOf(cj)
	m.WakeAt = p.WakeAt
	r.Notes[name] = m
	return engine.Routine(p.WakeAt), err
}

// memoryOf is what is remembered of the CronJob but for WakeAt.
func memoryOf(cj *batchv1.CronJob) memory {
	return memory{UID: cj.UID, Schedule: cj.Spec.Schedule, TimeZone: ptr.Deref(cj.Spec.TimeZone, "")}
}

// listed returns the Jobs that refs name, as far as they exist, whatever controls
// them.
func (r *Reconciler) listed(refs []reference) map[types.NamespacedName]*batchv1.Job {
	jobs := make(map[types.NamespacedName]*batchv1.Job, len(refs))
	for i := range refs {
		if job, found := engine.Get[*batchv1.Job](r.view, engine.Jobs, refs[i].Namespace, refs[i].Name); found {
			jobs[nameOf(&refs[i])] = job
		}
	}
	return jobs
}
