package cleaner

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func noon() time.Time { return time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC) }

type option func(*certificatesv1.CertificateSigningRequest)

func csr(options ...option) *certificatesv1.CertificateSigningRequest {
	c := &certificatesv1.CertificateSigningRequest{ObjectMeta: metav1.ObjectMeta{Name: "jane", CreationTimestamp: metav1.NewTime(noon())}}
	for _, o := range options {
		o(c)
	}
	return c
}

func condition(kind certificatesv1.RequestConditionType, at time.Time) option {
	return func(c *certificatesv1.CertificateSigningRequest) {
		c.Status.Conditions = append(c.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{Type: kind, LastUpdateTime: metav1.NewTime(at)})
	}
}

// issued gives the request a certificate that is good until end.
func issued(t *testing.T, end time.Time) option {
	t.Helper()
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: noon(), NotAfter: end}
	der, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return func(c *certificatesv1.CertificateSigningRequest) {
		c.Status.Certificate = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
}

func TestDecide(t *testing.T) {
	const approved, denied, failed = certificatesv1.CertificateApproved, certificatesv1.CertificateDenied, certificatesv1.CertificateFailed
	soon, year := noon().Add(10*time.Minute), noon().AddDate(1, 0, 0)
	for name, tc := range map[string]struct {
		csr *certificatesv1.CertificateSigningRequest
		now time.Time
		// want is when the request goes.
		want time.Time
	}{
		"nobody judges it: a day":                           {csr: csr(), want: noon().Add(24 * time.Hour)},
		"it was denied: an hour":                            {csr: csr(condition(denied, soon)), want: soon.Add(time.Hour)},
		"it has failed: an hour, though approved":           {csr: csr(condition(approved, noon()), condition(failed, soon)), want: soon.Add(time.Hour)},
		"nobody signs it: a day from its approval":          {csr: csr(condition(approved, soon)), want: soon.Add(24 * time.Hour)},
		"it has its certificate: an hour from its approval": {csr: csr(condition(approved, soon), issued(t, year)), want: soon.Add(time.Hour)},
		"its certificate ends before":                       {csr: csr(condition(approved, soon), issued(t, soon.Add(time.Minute))), want: soon.Add(time.Minute)},
		"a certificate without an approval stays":           {csr: csr(condition("Other", soon), issued(t, soon))},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(plan{WakeAt: tc.want}, decide(tc.csr, expiry(tc.csr), noon())); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
			if !tc.want.IsZero() {
				if diff := cmp.Diff(plan{Delete: true}, decide(tc.csr, expiry(tc.csr), tc.want)); diff != "" {
					t.Errorf("plan at that instant (-want +got):\n%s", diff)
				}
			}
		})
	}
}
