package lifecycle

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// pull looks for the container's image. Source: imageManager.EnsureImageExists
// in k8s.io/kubernetes pkg/kubelet/images v1.37.2.
//
// Deviation: pulls do not wait for each other.
func (r *Reconciler) pull(ctx context.Context, run *podRun, i int, now time.Time) {
	c, spec := &run.Containers[i], run.spec(run.pod, i)
	c.takeImage(spec)
	if before := c.before(); before != nil && c.Reason != createConfigError {
		c.BackOff = c.BackOff.next(before.FinishedAt, now)
	}
	im := r.images.get(spec.Image)
	if im.err != nil {
		message := fmt.Sprintf("Failed to apply default image tag %q: %v", spec.Image, im.err)
		run.event(ctx, i, corev1.EventTypeWarning, "InspectFailed", "%s", message)
		run.cannot(ctx, i, invalidImageName, message)
		return
	}
	present := run.node.images[im.full]
	c.Script = r.play(run, i)
	ask := spec.ImagePullPolicy == corev1.PullAlways || c.Script.PullError() != nil && spec.ImagePullPolicy != corev1.PullNever
	switch {
	case present && !ask:
		run.tellScript(ctx, i)
		run.event(ctx, i, corev1.EventTypeNormal, "Pulled", "Container image %q already present on machine and can be accessed by the pod", spec.Image)
		r.create(run, i, run.cursor(now))
	case spec.ImagePullPolicy == corev1.PullNever:
		message := fmt.Sprintf("Container image %q is not present with pull policy of Never", spec.Image)
		run.event(ctx, i, corev1.EventTypeWarning, errImageNeverPull, "%s", message)
		run.cannot(ctx, i, errImageNeverPull, message)
	default:
		run.tellScript(ctx, i)
		run.event(ctx, i, corev1.EventTypeNormal, "Pulling", "Pulling image %q", spec.Image)
		d := r.draw(run, i)
		wait := between(d.number("pull"), pullLow, pullHigh)
		if present {
			wait = between(d.number("pull"), recheckLow, recheckHigh)
		}
		if own, ok := c.Script.PullTime(); ok {
			wait = own
		}
		c.Stage, c.PullStart = pulling, run.cursor(now)
		c.At = d.startAt(c.PullStart.Add(wait)) // then the container starts at once
	}
}

// cannot leaves the container waiting with a reason that only a change of the
// Pod can end.
func (run *podRun) cannot(ctx context.Context, i int, reason, message string) {
	c := &run.Containers[i]
	c.Stage, c.Reason, c.Message, c.Blocked, c.Killed = idle, reason, message, true, false
	run.dirty = true
	run.event(ctx, i, corev1.EventTypeWarning, "Failed", "Error: %s", reason)
}

// create has the image at an instant and begins to create the container.
func (r *Reconciler) create(run *podRun, i int, at time.Time) {
	c := &run.Containers[i]
	d := r.draw(run, i)
	after := at.Add(between(d.number("create"), createLow, createHigh))
	if first := d.startAt(at); first.Equal(at) {
		after = at // the sandbox or the pull was timed for this start
	}
	c.Stage, c.At = creating, d.startAt(after)
}

func (r *Reconciler) endPull(ctx context.Context, run *podRun, i int) {
	c := &run.Containers[i]
	spec := withImage(run.spec(run.pod, i), c.Image)
	run.Cursor = c.At
	if err := r.pullError(c, spec); err != nil {
		run.event(ctx, i, corev1.EventTypeWarning, "Failed", "Failed to pull image %q: %v", spec.Image, err)
		run.event(ctx, i, corev1.EventTypeWarning, "Failed", "Error: %s", errImagePull)
		c.Stage, c.Reason, c.Message, c.Killed = idle, errImagePull, err.Error(), false
		c.PullBackOff = c.PullBackOff.next(c.At, c.At)
		c.Tries++
		run.dirty = true
		return
	}
	im := r.images.get(spec.Image)
	run.node.images[im.full] = true
	r.cfg.Engine.Touch(r.nodeKey(run.node))
	c.PullBackOff = backOff{}
	took := c.At.Sub(c.PullStart).Truncate(time.Millisecond)
	run.event(ctx, i, corev1.EventTypeNormal, "Pulled",
		"Successfully pulled image %q in %v (%v including waiting). Image size: %v bytes.", spec.Image, took, took, im.size)
	r.create(run, i, c.At)
}

// pullError says why the image cannot be pulled. A script alone decides that.
func (r *Reconciler) pullError(c *containerState, spec *corev1.Container) error {
	if c.Script != nil {
		return c.Script.PullError()
	}
	return r.cfg.Runtime.Pull(spec.Image)
}

func (r *Reconciler) backOffPull(ctx context.Context, run *podRun, i int) {
	c := &run.Containers[i]
	message := fmt.Sprintf("Back-off pulling image %q", withImage(run.spec(run.pod, i), c.Image).Image)
	run.event(ctx, i, corev1.EventTypeNormal, "BackOff", "%s", message)
	run.event(ctx, i, corev1.EventTypeWarning, "Failed", "Error: %s", imagePullBackOff)
	c.Message = fmt.Sprintf("%s: %s: %s", message, errImagePull, c.Message)
	c.Reason = imagePullBackOff
	run.dirty = true
}
