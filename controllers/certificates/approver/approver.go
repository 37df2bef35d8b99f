// Package approver approves the certificates that kubelets ask for.
//
// Invariant: it approves only requests to the signer of kubelets' client certificates
// whose content is a kubelet's, by users who may create them; it denies nothing.
//
// It follows k8s.io/kubernetes pkg/controller/certificates/approver v1.37.2.
package approver

import (
	"context"
	"crypto/x509"
	"fmt"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/watch"
	capihelper "k8s.io/kubernetes/pkg/apis/certificates"
	"k8s.io/kubernetes/pkg/controller/certificates"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "csrapproving"

// The wait before a request is looked at again, doubled each time. Unit: virtual time.
// Source: NewCertificateController in k8s.io/kubernetes pkg/controller/certificates v1.37.2.
const (
	retryStart = 200 * time.Millisecond
	retryMax   = 1000 * time.Second
)

// Reconciler reconciles CertificateSigningRequests.
type Reconciler struct {
	view *engine.View
	api  engine.API
	who  engine.Identity
}

var _ engine.Retrier = (*Reconciler)(nil)

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

// Observe implements engine.Reconciler: a request that somebody has judged, or that is for
// another signer, never needs an approval of ours.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	csr, ok := c.Object.(*certificatesv1.CertificateSigningRequest)
	if !ok || c.Type == watch.Deleted || judged(csr) || csr.Spec.SignerName != certificatesv1.KubeAPIServerClientKubeletSignerName {
		return nil
	}
	return []engine.Key{{Controller: Name, Name: csr.Name}}
}

// judged reports whether there is nothing left to decide.
func judged(csr *certificatesv1.CertificateSigningRequest) bool {
	approved, denied := certificates.GetCertApprovalCondition(&csr.Status)
	return approved || denied || len(csr.Status.Certificate) > 0
}

// Retry implements engine.Retrier.
func (r *Reconciler) Retry(n int, _ error) time.Duration { return retry(n) }

// retry is the wait after the n-th try.
func retry(n int) time.Duration {
	const doublings = 13 // more is above retryMax
	return min(retryStart<<min(n-1, doublings), retryMax)
}

// question is a right that makes an approval.
type question struct {
	// Subresource is what the user must be allowed to create.
	Subresource string
	// Message is that of the approval.
	Message string
}

// decide returns the rights of which one suffices, in the order in which they are asked
// for. Without any, the request is not ours.
func decide(csr *certificatesv1.CertificateSigningRequest, x509cr *x509.CertificateRequest) []question {
	usages := sets.NewString()
	for _, usage := range csr.Spec.Usages {
		usages.Insert(string(usage))
	}
	if csr.Spec.SignerName != certificatesv1.KubeAPIServerClientKubeletSignerName || !capihelper.IsKubeletClientCSR(x509cr, usages) {
		return nil
	}
	node := question{"nodeclient", "Auto approving kubelet client certificate after SubjectAccessReview."}
	if csr.Spec.Username == x509cr.Subject.CommonName {
		return []question{{"selfnodeclient", "Auto approving self kubelet client certificate after SubjectAccessReview."}, node}
	}
	return []question{node}
}

// Reconcile implements engine.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, now time.Time) (engine.Wake, error) {
	csr, ok := engine.Get[*certificatesv1.CertificateSigningRequest](r.view, engine.CertificateSigningRequests, "", key.Name)
	if !ok || judged(csr) {
		return engine.Wake{}, nil
	}
	x509cr, err := capihelper.ParseCSR(csr.Spec.Request)
	if err != nil {
		return engine.Wake{}, fmt.Errorf("unable to parse csr %q: %w", csr.Name, err)
	}
	questions := decide(csr, x509cr)
	for _, q := range questions {
		allowed, err := r.allowed(ctx, csr, q.Subresource)
		if err != nil {
			return engine.Wake{}, err
		}
		if allowed {
			return engine.Wake{}, r.approve(ctx, csr, q.Message)
		}
	}
	if len(questions) == 0 {
		return engine.Wake{}, nil
	}
	return engine.Poll(again(csr, now)), nil
}

// again is when a user who lacks the right is looked at again: somebody may grant it.
// Upstream's queue doubles its wait each time, and so does the age of the request.
func again(csr *certificatesv1.CertificateSigningRequest, now time.Time) time.Time {
	return now.Add(min(retryStart+max(0, now.Sub(csr.CreationTimestamp.Time)), retryMax))
}

// allowed asks whether the request's user may create the subresource.
func (r *Reconciler) allowed(ctx context.Context, csr *certificatesv1.CertificateSigningRequest, subresource string) (bool, error) {
	extra := make(map[string]authorizationv1.ExtraValue, len(csr.Spec.Extra))
	for k, v := range csr.Spec.Extra {
		extra[k] = authorizationv1.ExtraValue(v)
	}
	answer, err := r.api.Create(ctx, r.who, engine.SubjectAccessReviews, &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{
			User: csr.Spec.Username, UID: csr.Spec.UID, Groups: csr.Spec.Groups, Extra: extra,
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Group: "certificates.k8s.io", Resource: "certificatesigningrequests", Verb: "create", Subresource: subresource, Version: "*",
			},
		},
	})
	if err != nil {
		return false, err
	}
	review, ok := answer.(*authorizationv1.SubjectAccessReview)
	return ok && review.Status.Allowed, nil
}

func (r *Reconciler) approve(ctx context.Context, csr *certificatesv1.CertificateSigningRequest, message string) error {
	next := csr.DeepCopy()
	next.Status.Conditions = append(next.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
		Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "AutoApproved", Message: message,
	})
	if _, err := r.api.Update(ctx, r.who, engine.CertificateSigningRequests, "approval", next); err != nil {
		return fmt.Errorf("error updating approval for csr: %w", err)
	}
	return nil
}
