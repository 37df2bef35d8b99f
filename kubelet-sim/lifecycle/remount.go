package lifecycle

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/kubelet-sim/event"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// What a ConfigMap, a Secret or the Pod's own labels say reaches the files of a
// running Pod when the kubelet next syncs it: at once if the Pod's object has
// changed, else at a tick of its own. Variables of the environment and mounts of
// a subPath keep what they had.

// resyncLow and resyncHigh bound the time between two syncs of a Pod. Unit:
// virtual time. Source: syncFrequency and workerResyncIntervalJitterFactor in
// k8s.io/kubernetes pkg/kubelet v1.37.2.
//
// Deviation: a Pod's ticks are equally far apart; upstream draws each anew.
const resyncLow, resyncHigh = time.Minute, 90 * time.Second

// nextResync is the Pod's first tick after an instant. number is the Pod's own.
func nextResync(s *podstate.State, number uint64, after time.Time) time.Time {
	period := podstate.Between(number, resyncLow, resyncHigh)
	return s.StartTime.Add((after.Sub(s.StartTime)/period + 1) * period)
}

// scheduleRemount notes that what the Pod's volumes were made from has changed:
// the Pod itself, or an object that it mounts.
func (r *Reconciler) scheduleRemount(run *podRun, now time.Time) {
	if run.Finished || run.Sandbox != podstate.SandboxReady {
		run.podChanged, run.sourceChanged = false, false
		return
	}
	switch {
	case run.podChanged:
		run.RemountAt = now
	case run.sourceChanged && run.RemountAt.IsZero():
		run.RemountAt = nextResync(&run.State, podstate.NewDraw(r.cfg.Engine.Random(), run.pod, "", 0).Number("resync"), now)
	}
	run.podChanged, run.sourceChanged = false, false
}

// relabelled reports whether a volume may show another Pod than before.
func relabelled(before, after *corev1.Pod) bool {
	return !maps.Equal(before.Labels, after.Labels) || !maps.Equal(before.Annotations, after.Annotations)
}

// remount brings the Pod's volumes up to date. One that cannot be made any more
// keeps its files.
func (r *Reconciler) remount(ctx context.Context, run *podRun, now time.Time) {
	run.RemountAt = time.Time{}
	for i := range run.pod.Spec.Volumes {
		v := &run.pod.Spec.Volumes[i]
		old := run.volumes[v.Name]
		if old == nil || old.payload == nil {
			continue
		}
		p := &payload{r: r, run: run}
		if err := p.add(v); err != nil {
			run.event(ctx, -1, event.FailedMount(&mountError{setUpFailed, v.Name, err}))
			continue
		}
		old.renew(p, now)
	}
}

// renew gives a volume the files of p.
func (v *volumeFS) renew(p *payload, now time.Time) {
	if v.fs == nil {
		v.payload, v.build = p, p.volume(now).build
		v.charge(v.account)
		return
	}
	p.keepTokens(v.payload)
	if !slices.EqualFunc(v.payload.files, p.files, sameFile) {
		// A volume that a Pod may have fits; what does not stays out.
		_ = v.fs.WriteAtomic(p.files, now)
		v.payload = p
		v.charge(v.account)
	}
}

func sameFile(a, b vfs.VolumeFile) bool {
	return a.Path == b.Path && a.Mode == b.Mode && a.GID == b.GID && bytes.Equal(a.Data, b.Data)
}

// keepTokens takes over the tokens of the payload before.
//
// Deviation: a token is not renewed before it expires.
func (p *payload) keepTokens(before *payload) {
	for i := range p.tokens {
		j := slices.IndexFunc(before.files, func(f vfs.VolumeFile) bool { return f.Path == p.files[i].Path })
		if j >= 0 {
			p.files[i].Data = before.files[j].Data
		}
	}
}
