// Package pcrcleaner deletes old PodCertificateRequests.
//
// Invariant: a request stays a quarter of an hour, whatever has become of it. A kubelet
// that still waits for an answer asks again.
//
// It follows PCRCleanerController, k8s.io/kubernetes
// pkg/controller/certificates/cleaner v1.37.2.
//
// Deviation: it acts at the earliest instant at which upstream could, which looks every
// five minutes.
package pcrcleaner

import (
	"context"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "podcertificaterequestcleaner"

// threshold is how long requests stay. Source: newPodCertificateRequestCleanerController,
// k8s.io/kubernetes cmd/kube-controller-manager/app v1.37.2.
const threshold = 15 * time.Minute

// Reconciler reconciles PodCertificateRequests.
type Reconciler struct {
	view *engine.View
	api  engine.API
	who  engine.Identity
}

var _ engine.Reconciler = (*Reconciler)(nil)

// New returns a Reconciler. It must be called before the engine starts.
func New(host engine.Host) (*Reconciler, error) {
	if err := host.Validate(Name); err != nil {
		return nil, err
	}
	host.View.Track(engine.PodCertificateRequests)
	return &Reconciler{view: host.View, api: host.API, who: engine.ControllerIdentity("podcertificaterequestcleaner")}, nil
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

// Observe implements engine.Reconciler.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	if c.Resource != engine.PodCertificateRequests || c.Type == watch.Deleted {
		return nil
	}
	return []engine.Key{{Controller: Name, Namespace: c.Object.GetNamespace(), Name: c.Object.GetName()}}
}

// plan is whether to delete the request, or when to look again.
type plan struct {
	Delete bool
	// WakeAt is zero if nothing is to happen until the request changes.
	WakeAt time.Time
}

// decide returns what to do about a request at now.
func decide(request *certificatesv1.PodCertificateRequest, now time.Time) plan {
	at := request.CreationTimestamp.Add(threshold)
	switch {
	case request.DeletionTimestamp != nil:
		return plan{}
	case now.Before(at):
		return plan{WakeAt: at}
	}
	return plan{Delete: true}
}

// Reconcile implements engine.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, now time.Time) (engine.Wake, error) {
	request, ok := engine.Get[*certificatesv1.PodCertificateRequest](r.view, engine.PodCertificateRequests, key.Namespace, key.Name)
	if !ok {
		return engine.Wake{}, nil
	}
	p := decide(request, now)
	if !p.Delete {
		return engine.Cleanup(p.WakeAt), nil
	}
	err := r.api.Delete(ctx, r.who, engine.PodCertificateRequests, types.NamespacedName{Namespace: request.Namespace, Name: request.Name}, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &request.UID},
	})
	if apierrors.IsNotFound(err) {
		return engine.Wake{}, nil
	}
	return engine.Wake{}, err
}
