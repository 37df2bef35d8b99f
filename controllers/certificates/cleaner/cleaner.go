// Package cleaner deletes CertificateSigningRequests that are no longer needed.
//
// Invariant: a request stays an hour after it was denied, has failed or has got its
// certificate, a day if nobody judges or signs it, and no longer than its certificate is
// good.
//
// It follows CSRCleanerController, k8s.io/kubernetes
// pkg/controller/certificates/cleaner v1.37.2.
//
// Deviation: it acts at the earliest instant at which upstream could, which looks every
// hour.
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

// Name is the reconciler's name in the queue and in the event log.
const Name = "csrcleaner"

// How long requests stay. Source: k8s.io/kubernetes
// pkg/controller/certificates/cleaner v1.37.2.
const (
	approvedExpiration = time.Hour
	deniedExpiration   = time.Hour
	pendingExpiration  = 24 * time.Hour
)

// Reconciler reconciles CertificateSigningRequests.
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
	host.View.Track(engine.CertificateSigningRequests)
	return &Reconciler{view: host.View, api: host.API, who: engine.ControllerIdentity("certificate-controller")}, nil
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

// Observe implements engine.Reconciler.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	if c.Resource != engine.CertificateSigningRequests || c.Type == watch.Deleted {
		return nil
	}
	return []engine.Key{{Controller: Name, Name: c.Object.GetName()}}
}

// expiry returns when a request is no longer needed, zero if that cannot be said yet.
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

// decide returns what to do about csr at now.
func decide(csr *certificatesv1.CertificateSigningRequest, now time.Time) plan {
	at := expiry(csr)
	switch {
	case at.IsZero() || csr.DeletionTimestamp != nil:
		return plan{}
	case now.Before(at):
		return plan{WakeAt: at}
	}
	return plan{Delete: true}
}

// Reconcile implements engine.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, now time.Time) (engine.Wake, error) {
	csr, ok := engine.Get[*certificatesv1.CertificateSigningRequest](r.view, engine.CertificateSigningRequests, "", key.Name)
	if !ok {
		return engine.Wake{}, nil
	}
	p := decide(csr, now)
	if !p.Delete {
		return engine.Cleanup(p.WakeAt), nil
	}
	err := r.api.Delete(ctx, r.who, engine.CertificateSigningRequests, types.NamespacedName{Name: csr.Name}, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &csr.UID},
	})
	if apierrors.IsNotFound(err) {
		return engine.Wake{}, nil
	}
	return engine.Wake{}, err
}
