package signer

import (
	"crypto/ed25519"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

const (
	client  = "kubernetes.io/kube-apiserver-client"
	kubelet = "kubernetes.io/kube-apiserver-client-kubelet"
	serving = "kubernetes.io/kubelet-serving"
	legacy  = "kubernetes.io/legacy-unknown"
)

// csr is an approved request, with what its request in PKCS#10 says.
func csr(t *testing.T, signer string, template x509.CertificateRequest, usages ...certificatesv1.KeyUsage) *certificatesv1.CertificateSigningRequest {
	t.Helper()
	der, err := x509.CreateCertificateRequest(nil, &template, ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	out := &certificatesv1.CertificateSigningRequest{Spec: certificatesv1.CertificateSigningRequestSpec{
		SignerName: signer, Usages: usages, Request: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}),
	}}
	return with(out, certificatesv1.CertificateApproved)
}

func with(c *certificatesv1.CertificateSigningRequest, kind certificatesv1.RequestConditionType) *certificatesv1.CertificateSigningRequest {
	c.Status.Conditions = append(c.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{Type: kind, Status: corev1.ConditionTrue})
	return c
}

func name(cn string, organizations ...string) x509.CertificateRequest {
	return x509.CertificateRequest{Subject: pkix.Name{CommonName: cn, Organization: organizations}}
}

func TestWhoIsSigned(t *testing.T) {
	const signature, server, clientAuth = certificatesv1.UsageDigitalSignature, certificatesv1.UsageServerAuth, certificatesv1.UsageClientAuth
	node := name("system:node:n1", "system:nodes")
	address := node
	address.IPAddresses = []net.IP{net.IPv4(192, 0, 2, 1)}
	spiffe := address
	spiffe.URIs = []*url.URL{{Scheme: "spiffe", Host: "x"}}
	for title, tc := range map[string]struct {
		csr *certificatesv1.CertificateSigningRequest
		// want is the refusal, empty if it is signed.
		want string
	}{
		"a client":                              {csr(t, client, name("jane"), clientAuth), ""},
		"a client that serves":                  {csr(t, client, name("jane"), clientAuth, server), "invalid usage for client certificate: server auth"},
		"a client that is none":                 {csr(t, client, name("jane"), signature), "missing required usage for client certificate: client auth"},
		"a kubelet's client":                    {csr(t, kubelet, node, signature, clientAuth), ""},
		"a kubelet's client of another group":   {csr(t, kubelet, name("system:node:n1", "dev"), signature, clientAuth), "subject organization is not system:nodes"},
		"a kubelet's client of another name":    {csr(t, kubelet, name("jane", "system:nodes"), signature, clientAuth), "subject common name does not begin with system:node:"},
		"a kubelet's client with an address":    {csr(t, kubelet, address, signature, clientAuth), "IP subjectAltNames are not allowed"},
		"a kubelet's client with other usages":  {csr(t, kubelet, node, clientAuth), "usages did not match [client auth digital signature key encipherment]"},
		"a kubelet that serves":                 {csr(t, serving, address, signature, server), ""},
		"a kubelet that serves without a name":  {csr(t, serving, node, signature, server), "DNS or IP subjectAltName is required"},
		"a kubelet that serves at a URI":        {csr(t, serving, spiffe, signature, server), "URI subjectAltNames are not allowed"},
		"anything, for the signer of old times": {csr(t, legacy, name("jane"), certificatesv1.UsageCodeSigning), ""},
	} {
		t.Run(title, func(t *testing.T) {
			if !waits(tc.csr) {
				t.Fatal("the request does not wait for a signer")
			}
			p, err := decide(tc.csr, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			if p.Refuse != tc.want || (len(p.Sign) > 0) == (tc.want != "") {
				t.Errorf("refused with %q, %d bytes to sign; want %q", p.Refuse, len(p.Sign), tc.want)
			}
		})
	}
}

func TestWhoDoesNotWait(t *testing.T) {
	ours := func() *certificatesv1.CertificateSigningRequest {
		return csr(t, client, name("jane"), certificatesv1.UsageClientAuth)
	}
	pending, done := ours(), ours()
	pending.Status.Conditions = nil
	done.Status.Certificate = []byte("there")
	for title, c := range map[string]*certificatesv1.CertificateSigningRequest{
		"nobody has approved it":          pending,
		"it was denied as well":           with(ours(), certificatesv1.CertificateDenied),
		"it has failed":                   with(ours(), certificatesv1.CertificateFailed),
		"it has its certificate":          done,
		"another signer is to sign it":    csr(t, "example.com/other", name("jane"), certificatesv1.UsageClientAuth),
		"a signer of ours that is no one": csr(t, "kubernetes.io/nobody", name("jane"), certificatesv1.UsageClientAuth),
	} {
		if waits(c) {
			t.Errorf("%s: it waits for a signer", title)
		}
	}
}

// Source: Test_signer_duration in k8s.io/kubernetes pkg/controller/certificates/signer v1.37.2.
func TestDuration(t *testing.T) {
	for title, tc := range map[string]struct {
		seconds *int32
		want    time.Duration
	}{
		"what is asked for":    {ptr.To[int32](1800), 30 * time.Minute},
		"no longer than most":  {ptr.To[int32](7200), time.Hour},
		"no shorter than ten":  {ptr.To[int32](5), 10 * time.Minute},
		"nothing negative":     {ptr.To[int32](-100), 10 * time.Minute},
		"ten minutes":          {ptr.To[int32](600), 10 * time.Minute},
		"most, as is asked":    {ptr.To[int32](3600), time.Hour},
		"most, if nobody asks": {nil, time.Hour},
	} {
		if got := duration(tc.seconds, time.Hour); got != tc.want {
			t.Errorf("%s: %s, want %s", title, got, tc.want)
		}
	}
}

func TestRetry(t *testing.T) {
	var waits []time.Duration
	for _, n := range []int{1, 2, 3, 13, 14, 1000} {
		waits = append(waits, (&Reconciler{}).Retry(n, nil))
	}
	want := []time.Duration{200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond, 819200 * time.Millisecond, 1000 * time.Second, 1000 * time.Second}
	if diff := cmp.Diff(want, waits); diff != "" {
		t.Errorf("waits (-want +got):\n%s", diff)
	}
}
