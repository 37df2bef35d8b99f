// Package pki has a cluster's certificate authority, and signs with it.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"k8s.io/client-go/util/keyutil"

	"github.com/kubesim-dev/kubesim/internal/datadir"
)

// Authority is a cluster's certificate authority, with the key of its tokens. The
// authority and the key of the service-account tokens are kept, in the data
// directory or in etcd; the serving certificate and the administrator's are
// made at each start. The authority and the key may be a user's own.
type Authority struct {
	ca     *x509.Certificate
	caPEM  []byte
	caKey  crypto.Signer
	tokens crypto.Signer
}

// The user that may do anything, as kubeadm has it, and the group that every authorizer
// lets do anything.
const (
	Administrator  = "kubernetes-admin"
	Administrators = "system:masters"
)

// validity is how long certificates are good for. Certificates follow the wall
// clock, because clients check them against theirs.
const validity = 10 * 365 * 24 * time.Hour

// Open reads the authority from dir or makes one.
func Open(dir *datadir.Dir, now time.Time) (*Authority, error) {
	if err := os.MkdirAll(dir.File("pki"), datadir.Mode); err != nil {
		return nil, fmt.Errorf("data directory %s: %w", dir.Path, datadir.Cause(err))
	}
	path, keyPath := dir.File(filepath.Join("pki", "ca.crt")), dir.File(filepath.Join("pki", "ca.key"))
	if exists(path) && !exists(keyPath) {
		return nil, fmt.Errorf("the certificate authority %s has no key: put it beside, as %s, or remove the folder %s to make a new one", path, keyPath, filepath.Dir(path))
	}
	p := &Authority{}
	var err error
	if p.caKey, err = openKey(keyPath); err != nil {
		return nil, err
	}
	if p.tokens, err = openKey(dir.File(filepath.Join("pki", "sa.key"))); err != nil {
		return nil, err
	}
	p.caPEM, err = os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if p.caPEM, err = p.newCA(now); err == nil {
			err = datadir.WriteFile(path, p.caPEM)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("the certificate authority %s: %w", path, datadir.Cause(err))
	}
	if p.ca, err = parseCertificate(p.caPEM); err == nil {
		err = p.checkCA(now)
	}
	if err != nil {
		return nil, fmt.Errorf("the certificate authority %s: %w: remove the folder %s to make a new one", path, err, filepath.Dir(path))
	}
	return p, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// parseCertificate reads the first certificate of a bundle.
func parseCertificate(data []byte) (*x509.Certificate, error) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			return x509.ParseCertificate(block.Bytes)
		}
	}
	return nil, errors.New("it is no PEM certificate")
}

// checkCA says why clients would not trust what the authority signs.
func (p *Authority) checkCA(now time.Time) error {
	own, ok := p.caKey.Public().(interface{ Equal(crypto.PublicKey) bool })
	switch {
	case !ok || !own.Equal(p.ca.PublicKey):
		return errors.New("the key ca.key is not that of its first certificate")
	case !p.ca.IsCA || p.ca.KeyUsage != 0 && p.ca.KeyUsage&x509.KeyUsageCertSign == 0:
		return errors.New("its first certificate may not sign others: want one with CA:TRUE, and the usage keyCertSign if it names any")
	case now.After(p.ca.NotAfter):
		return fmt.Errorf("it has expired, on %s", p.ca.NotAfter.UTC().Format(time.DateOnly))
	}
	return nil
}

// openKey reads a private key or makes one.
func openKey(path string) (crypto.Signer, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return newKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", path, datadir.Cause(err))
	}
	key, err := parseKey(data)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w: remove the folder %s to make a new one", path, err, filepath.Dir(path))
	}
	return key, nil
}

// parseKey reads a key as OpenSSL, cfssl and kubeadm write it: RSA or ECDSA, as PKCS#1,
// PKCS#8 or SEC1. These are the kinds that can sign tokens, too.
func parseKey(data []byte) (crypto.Signer, error) {
	if block, _ := pem.Decode(data); block == nil {
		return nil, errors.New("it is no PEM file")
	}
	parsed, err := keyutil.ParsePrivateKeyPEM(data)
	if err != nil {
		if encrypted.Match(data) {
			return nil, errors.New("it is encrypted: take the passphrase away, for example with openssl pkey")
		}
		return nil, errors.New("it is no private key of RSA or ECDSA in PKCS#1, PKCS#8 or SEC1")
	}
	switch key := parsed.(type) {
	case *rsa.PrivateKey:
		return key, nil
	case *ecdsa.PrivateKey:
		if key.Curve != elliptic.P224() {
			return key, nil
		}
	}
	return nil, fmt.Errorf("it is a key of another kind (%T): want one of RSA, or of ECDSA on P-256, P-384 or P-521", parsed)
}

// encrypted is how a key with a passphrase begins, in PKCS#8 and in OpenSSL's own form.
var encrypted = regexp.MustCompile(`(?m)^(-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED)`)

func newKey(path string) (crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	data, err := encodeKey(key)
	if err != nil {
		return nil, err
	}
	if err := datadir.WriteFile(path, data); err != nil {
		return nil, fmt.Errorf("key %s: %w", path, datadir.Cause(err))
	}
	return key, nil
}

// Shared is what an Authority keeps, in a form that several servers share. The names
// are those of the files in a data directory.
type Shared struct {
	Authority    string `json:"ca.crt"`
	AuthorityKey string `json:"ca.key"`
	TokenKey     string `json:"sa.key"`
}

// NewShared makes an authority.
func NewShared(now time.Time) (s Shared, err error) {
	p := &Authority{}
	for _, key := range []struct {
		to   *crypto.Signer
		text *string
	}{{&p.caKey, &s.AuthorityKey}, {&p.tokens, &s.TokenKey}} {
		made, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return s, err
		}
		data, err := encodeKey(made)
		if err != nil {
			return s, err
		}
		*key.to, *key.text = made, string(data)
	}
	certificate, err := p.newCA(now)
	s.Authority = string(certificate)
	return s, err
}

// Open reads what NewShared has made, on this server or another.
func (s Shared) Open() (*Authority, error) {
	p := &Authority{caPEM: []byte(s.Authority)}
	var errs [3]error
	p.ca, errs[0] = parseCertificate(p.caPEM)
	p.caKey, errs[1] = parseKey([]byte(s.AuthorityKey))
	p.tokens, errs[2] = parseKey([]byte(s.TokenKey))
	return p, errors.Join(errs[:]...)
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}

func (p *Authority) newCA(now time.Time) ([]byte, error) {
	template := template("kubernetes", nil, now)
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	template.DNSNames = []string{"kubernetes"}
	der, err := x509.CreateCertificate(rand.Reader, template, template, p.caKey.Public(), p.caKey)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

func template(commonName string, organization []string, now time.Time) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		serial = big.NewInt(now.UnixNano())
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: commonName, Organization: organization},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(validity),
	}
}

// sign returns a certificate of the authority with a key of its own.
func (p *Authority) sign(template *x509.Certificate, usage x509.ExtKeyUsage) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{usage}
	der, err := x509.CreateCertificate(rand.Reader, template, p.ca, key.Public(), p.caKey)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// Serving is the API server's certificate, for the names and addresses by which
// clients and Pods reach it.
func (p *Authority) Serving(ips []net.IP, now time.Time) (tls.Certificate, error) {
	t := template("kube-apiserver", nil, now)
	t.DNSNames = []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}
	t.IPAddresses = ips
	return p.sign(t, x509.ExtKeyUsageServerAuth)
}

// Administrator is the kubeconfig's client certificate, as kubeadm's: a user
// of the group that every authorizer lets do anything.
func (p *Authority) Administrator(now time.Time) (certificate, key []byte, err error) {
	return p.Client(Administrator, now)
}

// Client is the certificate of a user who may do anything.
func (p *Authority) Client(user string, now time.Time) (certificate, key []byte, err error) {
	signed, err := p.sign(template(user, []string{Administrators}, now), x509.ExtKeyUsageClientAuth)
	if err != nil {
		return nil, nil, err
	}
	key, err = encodeKey(signed.PrivateKey.(*ecdsa.PrivateKey))
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed.Certificate[0]}), key, err
}

// FrontProxy is the client certificate by which API servers beside the cluster know that
// a request comes from its API server, which says for whom it asks. The name is kubeadm's;
// it has no rights.
func (p *Authority) FrontProxy(now time.Time) (tls.Certificate, error) {
	return p.sign(template("front-proxy-client", nil, now), x509.ExtKeyUsageClientAuth)
}

// Certificate is that of the authority, in PEM, which clients trust.
func (p *Authority) Certificate() []byte { return p.caPEM }

// TokenKey signs service-account tokens.
func (p *Authority) TokenKey() crypto.Signer { return p.tokens }
