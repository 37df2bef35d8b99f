package app

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
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
	"time"
)

// pki is a cluster's certificate authority and what it has signed. The
// authority and the key of the service-account tokens are kept, in the data
// directory or in etcd; the serving certificate and the administrator's are
// made anew at each start.
type pki struct {
	ca     *x509.Certificate
	caPEM  []byte
	caKey  *ecdsa.PrivateKey
	tokens *ecdsa.PrivateKey
}

// validity is how long certificates are good for. Certificates follow the wall
// clock, because clients check them against theirs.
const validity = 10 * 365 * 24 * time.Hour

// openPKI reads the authority from dir or makes one.
func openPKI(dir *dataDir, now time.Time) (*pki, error) {
	if err := os.MkdirAll(dir.file("pki"), dirMode); err != nil {
		return nil, fmt.Errorf("data directory %s: %w", dir.path, rootCause(err))
	}
	p := &pki{}
	var err error
	if p.caKey, err = openKey(dir.file(filepath.Join("pki", "ca.key"))); err != nil {
		return nil, err
	}
	if p.tokens, err = openKey(dir.file(filepath.Join("pki", "sa.key"))); err != nil {
		return nil, err
	}
	path := dir.file(filepath.Join("pki", "ca.crt"))
	p.caPEM, err = os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if p.caPEM, err = p.newCA(now); err == nil {
			err = writeFile(path, p.caPEM)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("the certificate authority %s: %w", path, rootCause(err))
	}
	if p.ca, err = parseCertificate(p.caPEM); err != nil {
		return nil, fmt.Errorf("the certificate authority %s: %w: remove the folder %s to make a new one", path, err, filepath.Dir(path))
	}
	return p, nil
}

func parseCertificate(data []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("it is no PEM certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}

// openKey reads a private key or makes one.
func openKey(path string) (*ecdsa.PrivateKey, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return newKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", path, rootCause(err))
	}
	key, err := parseKey(data)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w: remove the folder %s to make a new one", path, err, filepath.Dir(path))
	}
	return key, nil
}

func parseKey(data []byte) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("it is no PEM file")
	}
	return x509.ParseECPrivateKey(block.Bytes)
}

func newKey(path string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	data, err := encodeKey(key)
	if err != nil {
		return nil, err
	}
	if err := writeFile(path, data); err != nil {
		return nil, fmt.Errorf("key %s: %w", path, rootCause(err))
	}
	return key, nil
}

// sharedPKI is what a pki keeps, in a form that several servers share. The names
// are those of the files in a data directory.
type sharedPKI struct {
	Authority    string `json:"ca.crt"`
	AuthorityKey string `json:"ca.key"`
	TokenKey     string `json:"sa.key"`
}

// newSharedPKI makes an authority.
func newSharedPKI(now time.Time) (s sharedPKI, err error) {
	p := &pki{}
	for _, key := range []struct {
		to   **ecdsa.PrivateKey
		text *string
	}{{&p.caKey, &s.AuthorityKey}, {&p.tokens, &s.TokenKey}} {
		if *key.to, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return s, err
		}
		data, err := encodeKey(*key.to)
		if err != nil {
			return s, err
		}
		*key.text = string(data)
	}
	certificate, err := p.newCA(now)
	s.Authority = string(certificate)
	return s, err
}

// open reads what newSharedPKI has made, on this server or another.
func (s sharedPKI) open() (*pki, error) {
	p := &pki{caPEM: []byte(s.Authority)}
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

func (p *pki) newCA(now time.Time) ([]byte, error) {
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
func (p *pki) sign(template *x509.Certificate, usage x509.ExtKeyUsage) (tls.Certificate, error) {
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

// serving is the API server's certificate, for the names and addresses by which
// clients and Pods reach it.
func (p *pki) serving(ips []net.IP, now time.Time) (tls.Certificate, error) {
	t := template("kube-apiserver", nil, now)
	t.DNSNames = []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}
	t.IPAddresses = ips
	return p.sign(t, x509.ExtKeyUsageServerAuth)
}

// administrator is the kubeconfig's client certificate, as kubeadm's: a user
// of the group that every authorizer lets do anything.
func (p *pki) administrator(now time.Time) (certificate, key []byte, err error) {
	return p.client("kubernetes-admin", now)
}

// client is the certificate of a user who may do anything.
func (p *pki) client(user string, now time.Time) (certificate, key []byte, err error) {
	signed, err := p.sign(template(user, []string{"system:masters"}, now), x509.ExtKeyUsageClientAuth)
	if err != nil {
		return nil, nil, err
	}
	key, err = encodeKey(signed.PrivateKey.(*ecdsa.PrivateKey))
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed.Certificate[0]}), key, err
}

// tokenKey signs service-account tokens.
func (p *pki) tokenKey() crypto.Signer { return p.tokens }
