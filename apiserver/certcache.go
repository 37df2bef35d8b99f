package apiserver

import (
	"crypto/sha256"
	"crypto/x509"
	"net/http"
	"sync"
	"time"

	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
)

// certCache remembers the user of a client certificate. Upstream verifies the
// certificate's signature for each request, which takes a fifth of the processor time
// of small requests. The CA does not change, so a certificate that it has signed
// remains valid until it expires.
type certCache struct {
	inner authenticator.Request
	// clock returns the time that a certificate follows.
	clock func(*x509.Certificate) func() time.Time

	mu    sync.RWMutex
	known map[[sha256.Size]byte]knownCert
}

type knownCert struct {
	response *authenticator.Response
	expires  time.Time
	now      func() time.Time
}

// knownCertsMax bounds the cache. When it is full it starts over.
const knownCertsMax = 1000

func newCertCache(inner authenticator.Request, clock func(*x509.Certificate) func() time.Time) *certCache {
	return &certCache{inner: inner, clock: clock, known: map[[sha256.Size]byte]knownCert{}}
}

// AuthenticateRequest implements authenticator.Request.
func (c *certCache) AuthenticateRequest(req *http.Request) (*authenticator.Response, bool, error) {
	if !onlyCertificate(req) {
		return c.inner.AuthenticateRequest(req)
	}
	leaf := req.TLS.PeerCertificates[0]
	key := sha256.Sum256(leaf.Raw)
	c.mu.RLock()
	known, ok := c.known[key]
	c.mu.RUnlock()
	if ok && known.now().Before(known.expires) {
		return known.response, true, nil
	}
	response, ok, err := c.inner.AuthenticateRequest(req)
	if err == nil && ok && response.User.GetName() != user.Anonymous {
		c.mu.Lock()
		if len(c.known) >= knownCertsMax {
			clear(c.known)
		}
		c.known[key] = knownCert{response: response, expires: leaf.NotAfter, now: c.clock(leaf)}
		c.mu.Unlock()
	}
	return response, ok, err
}

// onlyCertificate reports whether a client certificate is the only credential of a
// request: it has no bearer token, in any header.
func onlyCertificate(req *http.Request) bool {
	return req.TLS != nil && len(req.TLS.PeerCertificates) == 1 &&
		req.Header.Get("Authorization") == "" && req.Header.Get("Sec-WebSocket-Protocol") == ""
}

// now is the wall clock, because the certificates that a cluster begins with are made before
// it has a clock, and clients and upstream's verifier judge them by their machine's.
//
//nolint:forbidigo // certificates of the host's side are judged by the wall clock
func now() time.Time { return time.Now() }
