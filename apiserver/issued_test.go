package apiserver

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
)

type pointed struct{ at *time.Time }

func (c pointed) Now() time.Time { return *c.at }

// TestAnIssuedCertificateFollowsVirtualTime: it is good from and until its instants of
// virtual time, far from the life of the authority, which follows the wall clock.
func TestAnIssuedCertificateFollowsVirtualTime(t *testing.T) {
	caKey := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kubernetes"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	caDER, err := x509.CreateCertificate(nil, ca, ca, caKey.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	leaf := func(signer ed25519.PrivateKey, usage x509.ExtKeyUsage) *x509.Certificate {
		template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "jane", Organization: []string{"dev"}},
			NotBefore: begin, NotAfter: begin.Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{usage}}
		parent := *ca
		parent.RawSubject = nil
		der, err := x509.CreateCertificate(nil, template, &parent, caKey.Public(), signer)
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	stranger := ed25519.NewKeyFromSeed([]byte("0123456789abcdef0123456789abcdef"))
	good := leaf(caKey, x509.ExtKeyUsageClientAuth)
	for name, tc := range map[string]struct {
		leaf *x509.Certificate
		at   time.Duration
		// inner is who upstream's authenticator finds without the certificate.
		inner string
		want  string
		err   string
	}{
		"in its time":                       {leaf: good, at: time.Minute, want: "jane"},
		"before":                            {leaf: good, at: -time.Minute, err: "x509: certificate has expired or is not yet valid"},
		"after":                             {leaf: good, at: 2 * time.Hour, err: "x509: certificate has expired or is not yet valid"},
		"after, but with a token":           {leaf: good, at: 2 * time.Hour, inner: "token", want: "token"},
		"nobody is anonymous with it":       {leaf: good, at: 2 * time.Hour, inner: user.Anonymous, err: "x509: certificate has expired or is not yet valid"},
		"another's signature":               {leaf: leaf(stranger, x509.ExtKeyUsageClientAuth), at: time.Minute, err: "x509: certificate signed by unknown authority"},
		"a server's certificate":            {leaf: leaf(caKey, x509.ExtKeyUsageServerAuth), at: time.Minute, err: "x509: certificate specifies an incompatible key usage"},
		"another certificate is upstream's": {leaf: &x509.Certificate{SerialNumber: big.NewInt(8)}, at: 2 * time.Hour, inner: "upstream", want: "upstream"},
	} {
		t.Run(name, func(t *testing.T) {
			inner := authenticator.RequestFunc(func(req *http.Request) (*authenticator.Response, bool, error) {
				if issuedSeven(tc.leaf) && len(req.TLS.PeerCertificates) > 0 {
					return nil, false, errors.New("upstream was shown a certificate that follows virtual time")
				}
				return &authenticator.Response{User: &user.DefaultInfo{Name: tc.inner}}, tc.inner != "", nil
			})
			now := begin.Add(tc.at)
			caPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})
			a, err := newIssuedCerts(inner, caPEM, issuedSeven, pointed{&now})
			if err != nil {
				t.Fatal(err)
			}
			req := httptest.NewRequest(http.MethodGet, "/", nil)
			req.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{tc.leaf}}
			response, ok, err := a.AuthenticateRequest(req)
			switch {
			case tc.err != "" && (ok || err == nil || !strings.Contains(err.Error(), tc.err)):
				t.Errorf("AuthenticateRequest() = %v, %t, %v, want an error with %q", response, ok, err, tc.err)
			case tc.err == "" && (err != nil || !ok || response.User.GetName() != tc.want):
				t.Errorf("AuthenticateRequest() = %v, %t, %v, want %s", response, ok, err, tc.want)
			case tc.want == "jane" && strings.Join(response.User.GetGroups(), " ") != "dev system:authenticated":
				t.Errorf("jane is in the groups %v", response.User.GetGroups())
			}
		})
	}

	// What is remembered of it ends in virtual time, too.
	now := begin
	cache := newCertCache(authenticator.RequestFunc(func(*http.Request) (*authenticator.Response, bool, error) {
		return &authenticator.Response{User: &user.DefaultInfo{Name: "jane"}}, now.Before(good.NotAfter), nil
	}), timeOf(issuedSeven, pointed{&now}))
	for _, now = range []time.Time{begin, begin.Add(time.Minute), begin.Add(2 * time.Hour)} {
		req := httptest.NewRequest(http.MethodGet, "/", nil)
		req.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{good}}
		if _, ok, _ := cache.AuthenticateRequest(req); ok != now.Before(good.NotAfter) {
			t.Errorf("at %s jane is known: %t", now, ok)
		}
	}
}

func issuedSeven(c *x509.Certificate) bool { return c.SerialNumber.Int64() == 7 }
