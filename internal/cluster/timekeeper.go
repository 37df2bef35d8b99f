package cluster

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
	"github.com/kubesim-dev/kubesim/apiserver/registry"
	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// timekeeper is the engine's clock, as the API shows and moves it.
type timekeeper struct{ b *bolt }

var (
	_ registry.Timekeeper = timekeeper{}
	_ registry.Timekeeper = wallClock{}
)

// Show implements registry.Timekeeper.
func (k timekeeper) Show() (v1alpha1.ClockSpec, v1alpha1.ClockStatus) {
	s := k.b.engine.Status()
	status := v1alpha1.ClockStatus{Now: metav1.NewMicroTime(s.Now.UTC()), Settled: s.Settled}
	if !s.Next.IsZero() {
		next := metav1.NewMicroTime(s.Next.UTC())
		status.NextTimer = &next
	}
	return v1alpha1.ClockSpec{Mode: string(s.Mode), Speed: s.Speed, Paused: s.Paused}, status
}

// Set implements registry.Timekeeper. A request that pauses the clock and changes its
// mode pauses first; one that resumes it resumes last: no time passes in between.
func (k timekeeper) Set(ctx context.Context, spec v1alpha1.ClockSpec) error {
	e := k.b.engine
	s := e.Status()
	var changes []func() error
	if spec.Paused && !s.Paused {
		changes = append(changes, func() error { return e.Pause(ctx) })
	}
	if spec.Mode != string(s.Mode) || spec.Speed != s.Speed || spec.Paused == s.Paused {
		changes = append(changes, func() error { return e.SetMode(ctx, engine.Mode(spec.Mode), spec.Speed) })
	}
	if s.Paused && !spec.Paused {
		changes = append(changes, func() error { return e.Resume(ctx) })
	}
	for _, change := range changes {
		if err := change(); err != nil {
			return k.refused(ctx, err)
		}
	}
	if changed := k.b.c.options.ClockChanged; changed != nil {
		s := e.Status()
		changed(s.Mode, s.Speed, s.Paused)
	}
	return k.written(ctx)
}

// Advance implements registry.Timekeeper.
func (k timekeeper) Advance(ctx context.Context, how *v1alpha1.ClockAdvance) error {
	e := k.b.engine
	var err error
	switch {
	case how.Duration != nil:
		var d time.Duration
		if d, err = time.ParseDuration(*how.Duration); err == nil {
			err = e.Advance(ctx, d)
		}
	case how.Until != nil:
		err = e.Until(ctx, how.Until.Time)
	default:
		err = e.Next(ctx)
	}
	if err != nil {
		return k.refused(ctx, err)
	}
	return k.written(ctx)
}

// AwaitRest implements registry.Timekeeper.
func (k timekeeper) AwaitRest(ctx context.Context) error {
	if err := k.b.engine.AwaitRest(ctx); err != nil {
		return k.refused(ctx, err)
	}
	return k.written(ctx)
}

// written returns when what the engine has written can be read.
func (k timekeeper) written(ctx context.Context) error {
	if err := k.b.db.AwaitVisible(ctx); err != nil {
		return k.refused(ctx, err)
	}
	return nil
}

// refused is the API error for one of the engine's.
func (k timekeeper) refused(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, engine.ErrBackwards), errors.Is(err, engine.ErrOutOfTime):
		return apierrors.NewBadRequest(err.Error())
	case ctx.Err() != nil:
		return apierrors.NewTimeoutError("the cluster has not settled in time; pausing the clock stops it", 0)
	}
	return apierrors.NewInternalError(err)
}

// wallClock is the time of a shared cluster, which nobody moves.
type wallClock struct{}

// Now implements registry.Clock.
func (wallClock) Now() time.Time { return time.Now() }

// Show implements registry.Timekeeper.
func (w wallClock) Show() (v1alpha1.ClockSpec, v1alpha1.ClockStatus) {
	return v1alpha1.ClockSpec{Mode: string(engine.Realtime), Speed: 1}, v1alpha1.ClockStatus{Now: metav1.NewMicroTime(w.Now().UTC()), Settled: true}
}

// errWallClock is the answer of a clock that nobody moves.
func errWallClock() error {
	return apierrors.NewBadRequest("several servers share this cluster through etcd: its time is the wall clock's and cannot be moved; a cluster in a --data-dir can")
}

// Set implements registry.Timekeeper.
func (wallClock) Set(context.Context, v1alpha1.ClockSpec) error { return errWallClock() }

// Advance implements registry.Timekeeper.
func (wallClock) Advance(context.Context, *v1alpha1.ClockAdvance) error { return errWallClock() }

// AwaitRest implements registry.Timekeeper.
func (wallClock) AwaitRest(context.Context) error { return errWallClock() }
