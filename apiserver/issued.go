package apiserver

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"time"

	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/group"
	x509request "k8s.io/apiserver/pkg/authentication/request/x509"
	"k8s.io/apiserver/pkg/authentication/user"
	certutil "k8s.io/client-go/util/cert"

	"github.com/kubesim-dev/kubesim/apiserver/registry"
)

// issuedCerts authenticates clients whose certificate the cluster has issued. Those are
// good in virtual time, from which their times come. So a certificate that was asked for
// an hour expires when the clock has advanced by an hour, and what is in it is the same
// in every run. All other certificates follow the wall clock.
type issuedCerts struct {
	// inner knows all other credentials.
	inner authenticator.Request
	// certs verifies certificates in virtual time.
	certs  authenticator.Request
	issued func(*x509.Certificate) bool
}

// newIssuedCerts returns inner if nothing is issued.
func newIssuedCerts(inner authenticator.Request, ca []byte, issued func(*x509.Certificate) bool, clock registry.Clock) (authenticator.Request, error) {
	if issued == nil {
		return inner, nil
	}
	bundle, err := certutil.ParseCertsPEM(ca)
	if err != nil {
		return nil, fmt.Errorf("the certificate authority: %w", err)
	}
	roots := x509.NewCertPool()
	for _, c := range bundle {
		// The authority follows the wall clock, so in virtual time it has no end.
		c.NotBefore, c.NotAfter = time.Time{}, endOfCertificates()
		roots.AddCert(c)
	}
	options := func() (x509.VerifyOptions, bool) {
		o := x509request.DefaultVerifyOptions()
		o.Roots, o.CurrentTime = roots, clock.Now()
		return o, true
	}
	certs := group.NewAuthenticatedGroupAdder(x509request.NewDynamic(options, x509request.CommonNameUserConversion))
	return &issuedCerts{inner: inner, issued: issued, certs: certs}, nil
}

// endOfCertificates is what RFC 5280 (4.1.2.5) has for a certificate without an end.
func endOfCertificates() time.Time { return time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC) }

// AuthenticateRequest implements authenticator.Request. As in upstream's union, the
// certificate comes first, and one that is refused counts as none if the request has
// another credential.
func (i *issuedCerts) AuthenticateRequest(req *http.Request) (*authenticator.Response, bool, error) {
	if req.TLS == nil || len(req.TLS.PeerCertificates) == 0 || !i.issued(req.TLS.PeerCertificates[0]) {
		return i.inner.AuthenticateRequest(req)
	}
	response, ok, refused := i.certs.AuthenticateRequest(req)
	if ok {
		return response, true, nil
	}
	without, state := *req, *req.TLS
	state.PeerCertificates, without.TLS = nil, &state
	response, ok, err := i.inner.AuthenticateRequest(&without)
	if refused != nil && (!ok || response.User.GetName() == user.Anonymous) {
		return nil, false, refused
	}
	return response, ok, err
}

// timeOf returns the clock that says whether a client's certificate is good.
func timeOf(issued func(*x509.Certificate) bool, clock registry.Clock) func(*x509.Certificate) func() time.Time {
	return func(c *x509.Certificate) func() time.Time {
		if issued != nil && issued(c) {
			return clock.Now
		}
		return now
	}
}
