package apiserver

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
)

func TestACertificateIsVerifiedOnceAndOnlyForItself(t *testing.T) {
	valid := &x509.Certificate{Raw: []byte("a"), NotAfter: time.Now().Add(time.Hour)}
	expired := &x509.Certificate{Raw: []byte("b"), NotAfter: time.Now().Add(-time.Hour)}
	for name, tc := range map[string]struct {
		cert  *x509.Certificate
		token string
		who   string
		want  int // how often two requests reach upstream's authenticator
	}{
		"a good certificate is remembered":                   {cert: valid, who: "jane", want: 1},
		"a certificate that has expired is looked at again":  {cert: expired, who: "jane", want: 2},
		"a request with a token as well is looked at again":  {cert: valid, token: "Bearer x", who: "jane", want: 2},
		"an anonymous answer is not remembered for the cert": {cert: valid, who: user.Anonymous, want: 2},
		"a request without a certificate passes":             {who: "jane", want: 2},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			cache := newCertCache(authenticator.RequestFunc(func(*http.Request) (*authenticator.Response, bool, error) {
				calls++
				return &authenticator.Response{User: &user.DefaultInfo{Name: tc.who}}, true, nil
			}), timeOf(nil, nil))
			for range 2 {
				req := httptest.NewRequest(http.MethodGet, "/", nil)
				req.TLS = &tls.ConnectionState{}
				if tc.cert != nil {
					req.TLS.PeerCertificates = []*x509.Certificate{tc.cert}
				}
				if tc.token != "" {
					req.Header.Set("Authorization", tc.token)
				}
				response, ok, err := cache.AuthenticateRequest(req)
				if err != nil || !ok || response.User.GetName() != tc.who {
					t.Fatalf("AuthenticateRequest() = %v, %v, %v, want %s", response, ok, err, tc.who)
				}
			}
			if calls != tc.want {
				t.Errorf("upstream was asked %d times, want %d", calls, tc.want)
			}
		})
	}
}
