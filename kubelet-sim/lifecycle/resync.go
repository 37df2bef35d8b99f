package lifecycle

import (
	"context"
	"maps"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/event"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// resyncLow and resyncHigh bound the time between two syncs of a Pod. Unit:
// virtual time. Source: syncFrequency and workerResyncIntervalJitterFactor in
// k8s.io/kubernetes pkg/kubelet v1.37.2.
//
// Deviation: a Pod's ticks are equally far apart; upstream draws each one at random.
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

// takeAnswers looks at what has become of the Pod's requests.
func (r *Reconciler) takeAnswers(ctx context.Context, run *podRun, now time.Time) {
	if !run.answered {
		return
	}
	run.answered = false
	if !r.certificates.TakeAnswers(run.pod, run.Certificates, now, func(e event.Event) { run.event(ctx, -1, e) }) {
		return
	}
	run.retry = true
	if run.Sandbox == podstate.SandboxReady {
		run.RemountAt = now
	}
}

// keysOfRequest is the Pod that a PodCertificateRequest is about.
func (r *Reconciler) keysOfRequest(request *certificatesv1.PodCertificateRequest) []engine.Key {
	name := types.NamespacedName{Namespace: request.Namespace, Name: request.Spec.PodName}
	run := r.runs[name]
	if run == nil || run.pod.UID != request.Spec.PodUID {
		return nil
	}
	run.answered = true
	return []engine.Key{r.key(name)}
}
