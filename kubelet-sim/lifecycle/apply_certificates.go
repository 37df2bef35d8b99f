package lifecycle

import (
	"context"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/event"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// askCertificates writes the requests that are due.
func (r *Reconciler) askCertificates(ctx context.Context, run *podRun, now time.Time) {
	r.certificates.Ask(ctx, run.pod, run.Certificates, now)
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
