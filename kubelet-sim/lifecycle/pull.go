package lifecycle

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/kubelet-sim/event"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// pull looks for the container's image. Source: imageManager.EnsureImageExists
// in k8s.io/kubernetes pkg/kubelet/images v1.37.2.
//
// Deviation: pulls do not wait for each other.
func (r *Reconciler) pull(ctx context.Context, run *podRun, i int, now time.Time) {
	c, spec := &run.Containers[i], run.Spec(run.pod, i)
	c.TakeImage(spec)
	if before := c.Before(); before != nil && c.Reason != podstate.ReasonCreateConfigError {
		c.BackOff = c.BackOff.Next(before.FinishedAt, now)
	}
	im := r.images.Get(spec.Image)
	if im.Err != nil {
		message := fmt.Sprintf("Failed to apply default image tag %q: %v", spec.Image, im.Err)
		run.event(ctx, i, event.InspectFailed(message))
		run.cannot(ctx, i, podstate.ReasonInvalidImageName, message)
		return
	}
	present := run.node.images[im.Full]
	c.Script = r.play(run, i)
	ask := spec.ImagePullPolicy == corev1.PullAlways || c.Script.PullError() != nil && spec.ImagePullPolicy != corev1.PullNever
	switch {
	case present && !ask:
		run.tellScript(ctx, i)
		run.event(ctx, i, event.Present(spec.Image))
		r.create(run, i, run.cursor(now))
	case spec.ImagePullPolicy == corev1.PullNever:
		message := fmt.Sprintf("Container image %q is not present with pull policy of Never", spec.Image)
		run.event(ctx, i, event.NeverPulled(podstate.ReasonErrImageNeverPull, message))
		run.cannot(ctx, i, podstate.ReasonErrImageNeverPull, message)
	default:
		run.tellScript(ctx, i)
		run.event(ctx, i, event.Pulling(spec.Image))
		d := r.draw(run, i)
		wait := podstate.Between(d.Number("pull"), pullLow, pullHigh)
		if present {
			wait = podstate.Between(d.Number("pull"), recheckLow, recheckHigh)
		}
		if own, ok := c.Script.PullTime(); ok {
			wait = own
		}
		c.Activity, c.PullStart = podstate.Pulling, run.cursor(now)
		c.At = d.StartAt(c.PullStart.Add(wait)) // then the container starts at once
	}
}

// cannot leaves the container waiting with a reason that only a change of the
// Pod can end.
func (run *podRun) cannot(ctx context.Context, i int, reason, message string) {
	c := &run.Containers[i]
	c.Activity, c.Reason, c.Message, c.Blocked, c.Killed = podstate.Idle, reason, message, true, false
	run.dirty = true
	run.event(ctx, i, event.Failed(reason))
}

// create has the image at an instant and begins to create the container.
func (r *Reconciler) create(run *podRun, i int, at time.Time) {
	c := &run.Containers[i]
	d := r.draw(run, i)
	after := at.Add(podstate.Between(d.Number("create"), createLow, createHigh))
	if first := d.StartAt(at); first.Equal(at) {
		after = at // the sandbox or the pull was timed for this start
	}
	c.Activity, c.At = podstate.Creating, d.StartAt(after)
}

func (r *Reconciler) endPull(ctx context.Context, run *podRun, i int) {
	c := &run.Containers[i]
	spec := podstate.WithImage(run.Spec(run.pod, i), c.Image)
	run.Cursor = c.At
	if err := r.pullError(c, spec); err != nil {
		run.event(ctx, i, event.PullFailed(spec.Image, err))
		run.event(ctx, i, event.Failed(podstate.ReasonErrImagePull))
		c.Activity, c.Reason, c.Message, c.Killed = podstate.Idle, podstate.ReasonErrImagePull, err.Error(), false
		c.PullBackOff = c.PullBackOff.Next(c.At, c.At)
		c.Tries++
		run.dirty = true
		return
	}
	im := r.images.Get(spec.Image)
	run.node.images[im.Full] = true
	r.cfg.Engine.Touch(r.nodeKey(run.node))
	c.PullBackOff = podstate.BackOff{}
	took := c.At.Sub(c.PullStart).Truncate(time.Millisecond)
	run.event(ctx, i, event.Pulled(spec.Image, took, im.Size))
	r.create(run, i, c.At)
}

// pullError says why the image cannot be pulled. A script alone decides that.
func (r *Reconciler) pullError(c *podstate.Container, spec *corev1.Container) error {
	if c.Script != nil {
		return c.Script.PullError()
	}
	return r.cfg.Runtime.Pull(spec.Image)
}

func (r *Reconciler) backOffPull(ctx context.Context, run *podRun, i int) {
	c := &run.Containers[i]
	message := fmt.Sprintf("Back-off pulling image %q", podstate.WithImage(run.Spec(run.pod, i), c.Image).Image)
	run.event(ctx, i, event.PullBackOff(message))
	run.event(ctx, i, event.Failed(podstate.ReasonImagePullBackOff))
	c.Message = fmt.Sprintf("%s: %s: %s", message, podstate.ReasonErrImagePull, c.Message)
	c.Reason = podstate.ReasonImagePullBackOff
	run.dirty = true
}

// pullLow and pullHigh bound the time that a first pull takes, recheckLow and
// recheckHigh that of asking the registry for an image that is there already.
// Unit: virtual time.
const (
	pullLow, pullHigh       = 400 * time.Millisecond, 1400 * time.Millisecond
	recheckLow, recheckHigh = 150 * time.Millisecond, 300 * time.Millisecond
)
