// Package signer signs the certificates that users and kubelets have asked for, once
// somebody has approved them.
//
// Invariant: only a request that is approved, neither denied nor failed, and for one of
// the four signers gets a certificate, and only one. What a signer does not sign gets the
// condition Failed, which says why.
//
// It follows k8s.io/kubernetes pkg/controller/certificates/signer v1.37.2, whose four
// controllers are one here.
package signer

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	certificatesv1beta1 "k8s.io/api/certificates/v1beta1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/watch"
	csrutil "k8s.io/client-go/util/certificate/csr"
	capihelper "k8s.io/kubernetes/pkg/apis/certificates"
	"k8s.io/kubernetes/pkg/controller/certificates"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "csrsigning"

// The wait before a request is tried again, doubled each time. Unit: virtual time.
// Source: NewCertificateController in k8s.io/kubernetes pkg/controller/certificates v1.37.2.
const (
	retryStart = 200 * time.Millisecond
	retryMax   = 1000 * time.Second
)

// DurationDefault is how long a certificate is good if its request does not say, and at
// most. Source: default of --cluster-signing-duration.
const DurationDefault = 365 * 24 * time.Hour

// durationMin is how long it is good at least. Source: signer.duration, where it is twice
// the time by which a certificate is backdated.
const durationMin = 10 * time.Minute

// Config is what a Reconciler needs.
type Config struct {
	engine.Host
	// Duration is how long a certificate is good at most.
	Duration time.Duration
	// Issue signs a request, in DER, and returns the certificate in PEM.
	Issue func(request []byte, usages []certificatesv1.KeyUsage, ttl time.Duration, now time.Time) ([]byte, error)
}

func (c *Config) validate() error {
	var errs []error
	if c.Duration < durationMin {
		errs = append(errs, fmt.Errorf("csrsigning: Config.Duration %s: want at least %s", c.Duration, durationMin))
	}
	if c.Issue == nil {
		errs = append(errs, errors.New("csrsigning: Config.Issue is nil: pass that of the cluster's authority"))
	}
	return c.Validate(Name, errs...)
}

// Reconciler reconciles CertificateSigningRequests.
type Reconciler struct {
	cfg Config
	who engine.Identity
}

var _ engine.Retrier = (*Reconciler)(nil)

// New returns a Reconciler. It must be called before the engine starts.
func New(cfg Config) (*Reconciler, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg.View.Track(engine.CertificateSigningRequests)
	return &Reconciler{cfg: cfg, who: engine.ControllerIdentity("certificate-controller")}, nil
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

// Observe implements engine.Reconciler.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	csr, ok := c.Object.(*certificatesv1.CertificateSigningRequest)
	if !ok || c.Type == watch.Deleted || !waits(csr) {
		return nil
	}
	return []engine.Key{{Controller: Name, Name: csr.Name}}
}

// waits reports whether a request waits for one of the signers.
func waits(csr *certificatesv1.CertificateSigningRequest) bool {
	return len(csr.Status.Certificate) == 0 && certificates.IsCertificateRequestApproved(csr) &&
		!certificates.HasTrueCondition(csr, certificatesv1.CertificateFailed) && rules(csr.Spec.SignerName) != nil
}

// Retry implements engine.Retrier.
func (r *Reconciler) Retry(n int, _ error) time.Duration {
	const doublings = 13 // more is above retryMax
	return min(retryStart<<min(n-1, doublings), retryMax)
}

// plan is what becomes of a request: a certificate or a refusal.
type plan struct {
	// Sign is the request to sign, in DER, for TTL.
	Sign []byte
	TTL  time.Duration
	// Refuse says why it is not signed.
	Refuse string
}

// decide returns what to do about a request that waits. durationMax bounds the time for
// which a certificate is good.
func decide(csr *certificatesv1.CertificateSigningRequest, durationMax time.Duration) (plan, error) {
	x509cr, err := capihelper.ParseCSR(csr.Spec.Request)
	if err != nil {
		return plan{}, fmt.Errorf("unable to parse csr %q: %w", csr.Name, err)
	}
	if err := rules(csr.Spec.SignerName)(x509cr, csr.Spec.Usages); err != nil {
		return plan{Refuse: err.Error()}, nil
	}
	return plan{Sign: x509cr.Raw, TTL: duration(csr.Spec.ExpirationSeconds, durationMax)}, nil
}

// duration is how long a certificate is good for which somebody has asked for so many
// seconds. Source: signer.duration.
func duration(seconds *int32, most time.Duration) time.Duration {
	if seconds == nil {
		return most
	}
	return max(durationMin, min(csrutil.ExpirationSecondsToDuration(*seconds), most))
}

// rules returns what a signer demands, nil if it is not one of the four.
func rules(signer string) func(*x509.CertificateRequest, []certificatesv1.KeyUsage) error {
	switch signer {
	case certificatesv1.KubeletServingSignerName:
		return func(x509cr *x509.CertificateRequest, usages []certificatesv1.KeyUsage) error {
			return capihelper.ValidateKubeletServingCSR(x509cr, sets.NewString(names(usages)...))
		}
	case certificatesv1.KubeAPIServerClientKubeletSignerName:
		return func(x509cr *x509.CertificateRequest, usages []certificatesv1.KeyUsage) error {
			return capihelper.ValidateKubeletClientCSR(x509cr, sets.NewString(names(usages)...))
		}
	case certificatesv1.KubeAPIServerClientSignerName:
		return func(_ *x509.CertificateRequest, usages []certificatesv1.KeyUsage) error { return clientUsages(usages) }
	case certificatesv1beta1.LegacyUnknownSignerName:
		return func(*x509.CertificateRequest, []certificatesv1.KeyUsage) error { return nil }
	}
	return nil
}

func names(usages []certificatesv1.KeyUsage) []string {
	var list []string
	for _, usage := range usages {
		list = append(list, string(usage))
	}
	return list
}

// clientUsages refuses what is not for a client of the API server. Source:
// validAPIServerClientUsages.
func clientUsages(usages []certificatesv1.KeyUsage) error {
	client := false
	for _, usage := range usages {
		switch usage {
		case certificatesv1.UsageDigitalSignature, certificatesv1.UsageKeyEncipherment:
		case certificatesv1.UsageClientAuth:
			client = true
		default:
			return fmt.Errorf("invalid usage for client certificate: %s", usage)
		}
	}
	if !client {
		return fmt.Errorf("missing required usage for client certificate: %s", certificatesv1.UsageClientAuth)
	}
	return nil
}

// Reconcile implements engine.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, now time.Time) (engine.Wake, error) {
	csr, ok := engine.Get[*certificatesv1.CertificateSigningRequest](r.cfg.View, engine.CertificateSigningRequests, "", key.Name)
	if !ok || !waits(csr) {
		return engine.Wake{}, nil
	}
	p, err := decide(csr, r.cfg.Duration)
	if err != nil {
		return engine.Wake{}, err
	}
	return engine.Wake{}, r.apply(ctx, csr, p, now)
}

func (r *Reconciler) apply(ctx context.Context, csr *certificatesv1.CertificateSigningRequest, p plan, now time.Time) error {
	next, doing := csr.DeepCopy(), "error updating signature for csr"
	if p.Refuse != "" {
		doing = "error adding failure condition for csr"
		next.Status.Conditions = append(next.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
			Type: certificatesv1.CertificateFailed, Status: corev1.ConditionTrue,
			Reason: "SignerValidationFailure", Message: p.Refuse, LastUpdateTime: metav1.NewTime(now),
		})
	} else {
		certificate, err := r.cfg.Issue(p.Sign, csr.Spec.Usages, p.TTL, now)
		if err != nil {
			return fmt.Errorf("error auto signing csr: %w", err)
		}
		next.Status.Certificate = certificate
	}
	if _, err := r.cfg.API.Update(ctx, r.who, engine.CertificateSigningRequests, "status", next); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}
