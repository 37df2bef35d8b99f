// Package cleaner deletes CertificateSigningRequests and PodCertificateRequests that are
// no longer needed.
//
// Invariant: a CertificateSigningRequest stays an hour after it was denied, has failed or
// has got its certificate, a day if nobody judges or signs it, and no longer than its
// certificate is good. A PodCertificateRequest stays a quarter of an hour, whatever has
// become of it: a kubelet that still waits for an answer asks again.
//
// It follows CSRCleanerController and PCRCleanerController, k8s.io/kubernetes
// pkg/controller/certificates/cleaner v1.37.2.
//
// Deviation: it acts at the earliest instant at which upstream could, which looks every
// hour, and every five minutes.
package cleaner

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Name and PodCertificatesName are the reconcilers' names in the queue and in the event log.
const (
	Name                = "csrcleaner"
	PodCertificatesName = "podcertificaterequestcleaner"
)

// How long requests stay. Source: k8s.io/kubernetes
// pkg/controller/certificates/cleaner v1.37.2; of podCertificateExpiration
// newPodCertificateRequestCleanerController, cmd/kube-controller-manager/app.
const (
	approvedExpiration       = time.Hour
	deniedExpiration         = time.Hour
	pendingExpiration        = 24 * time.Hour
	podCertificateExpiration = 15 * time.Minute
)

// Reconciler reconciles the requests of one kind.
type Reconciler struct {
	name     string
	resource engine.Resource
	// expiry returns when a request is no longer needed, zero if that cannot be said yet.
	expiry func(engine.Object) time.Time
	view   *engine.View
	api    engine.API
	who    engine.Identity
}

var _ engine.Reconciler = (*Reconciler)(nil)

// New returns a Reconciler of CertificateSigningRequests. It must be called before the
// engine starts.
func New(host engine.Host) (*Reconciler, error) {
	return newReconciler(host, &Reconciler{
		name: Name, resource: engine.CertificateSigningRequests, who: engine.ControllerIdentity("certificate-controller"),
		expiry: func(obj engine.Object) time.Time { return expiry(obj.(*certificatesv1.CertificateSigningRequest)) },
	})
}

// NewPodCertificates returns a Reconciler of PodCertificateRequests. It must be called
// before the engine starts.
func NewPodCertificates(host engine.Host) (*Reconciler, error) {
	return newReconciler(host, &Reconciler{
		name: PodCertificatesName, resource: engine.PodCertificateRequests, who: engine.ControllerIdentity("podcertificaterequestcleaner"),
		expiry: podCertificateExpiry,
	})
}

func newReconciler(host engine.Host, r *Reconciler) (*Reconciler, error) {
	if err := host.Validate(r.name); err != nil {
		return nil, err
	}
	host.View.Track(r.resource)
	r.view, r.api = host.View, host.API
	return r, nil
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return r.name }

// Observe implements engine.Reconciler.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	if c.Resource != r.resource || c.Type == watch.Deleted {
		return nil
	}
	return []engine.Key{{Controller: r.name, Namespace: c.Object.GetNamespace(), Name: c.Object.GetName()}}
}

// expiry is when csr is no longer needed, zero if that cannot be said yet.
func expiry(csr *certificatesv1.CertificateSigningRequest) time.Time {
	var earliest time.Time
	at := func(since metav1.Time, d time.Duration) {
		if t := since.Add(d); !since.IsZero() && (earliest.IsZero() || t.Before(earliest)) {
			earliest = t
		}
	}
	if len(csr.Status.Conditions) == 0 {
		at(csr.CreationTimestamp, pendingExpiration)
	}
	for _, c := range csr.Status.Conditions {
		switch {
		case c.Type == certificatesv1.CertificateDenied || c.Type == certificatesv1.CertificateFailed:
			at(c.LastUpdateTime, deniedExpiration)
		case c.Type != certificatesv1.CertificateApproved:
		case len(csr.Status.Certificate) == 0:
			at(c.LastUpdateTime, pendingExpiration)
		default:
			at(c.LastUpdateTime, approvedExpiration)
			at(end(csr.Status.Certificate), 0)
		}
	}
	return earliest
}

func podCertificateExpiry(request engine.Object) time.Time {
	return request.GetCreationTimestamp().Add(podCertificateExpiration)
}

// end is when a certificate, in PEM, is no longer good; zero if it is none.
func end(certificate []byte) metav1.Time {
	block, _ := pem.Decode(certificate)
	if block == nil {
		return metav1.Time{}
	}
	chain, err := x509.ParseCertificates(block.Bytes)
	if err != nil || len(chain) == 0 {
		return metav1.Time{}
	}
	return metav1.NewTime(chain[0].NotAfter)
}

// plan is whether to delete the request, or when to look again.
type plan struct {
	Delete bool
	// WakeAt is zero if nothing is to happen until the request changes.
	WakeAt time.Time
}

// decide returns what to do at now about a request that is needed until at.
func decide(request engine.Object, at, now time.Time) plan {
	switch {
	case at.IsZero() || request.GetDeletionTimestamp() != nil:
		return plan{}
	case now.Before(at):
		return plan{WakeAt: at}
	}
	return plan{Delete: true}
}

// Reconcile implements engine.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, now time.Time) (engine.Wake, error) {
	request, ok := engine.Get[engine.Object](r.view, r.resource, key.Namespace, key.Name)
	if !ok {
		return engine.Wake{}, nil
	}
	p := decide(request, r.expiry(request), now)
	if !p.Delete {
		return engine.Cleanup(p.WakeAt), nil
	}
	uid := request.GetUID()
	err := r.api.Delete(ctx, r.who, r.resource, types.NamespacedName{Namespace: key.Namespace, Name: key.Name}, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &uid},
	})
	if apierrors.IsNotFound(err) {
		return engine.Wake{}, nil
	}
	return engine.Wake{}, err
}
