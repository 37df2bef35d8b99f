package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubesim-dev/kubesim/internal/datadir"
)

func pemOf(kind string, der []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func pkcs8(key any) []byte {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return pemOf("PRIVATE KEY", der, err)
}

func sec1(key *ecdsa.PrivateKey) []byte {
	der, err := x509.MarshalECPrivateKey(key)
	return pemOf("EC PRIVATE KEY", der, err)
}

func ecKey(t *testing.T, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func rsaKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// dirWith is a data directory with files in pki/.
func dirWith(t *testing.T, files map[string][]byte) *datadir.Dir {
	t.Helper()
	dir := &datadir.Dir{Path: t.TempDir()}
	if err := os.Mkdir(dir.File("pki"), datadir.Mode); err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir.File("pki"), name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestAUsersOwnAuthority: keys of the usual kinds, in the usual forms.
func TestAUsersOwnAuthority(t *testing.T) {
	now := time.Now()
	ec, rs := ecKey(t, elliptic.P384()), rsaKey(t)
	for name, tc := range map[string]struct {
		key crypto.Signer
		pem []byte
	}{
		"RSA in PKCS#1": {rs, pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rs), nil)},
		"RSA in PKCS#8": {rs, pkcs8(rs)},
		"ECDSA in SEC1": {ec, sec1(ec)},
		"ECDSA in SEC1, after its parameters, as openssl ecparam writes it": {ec, append(pemOf("EC PARAMETERS", []byte{6, 5, 43, 129, 4, 0, 34}, nil), sec1(ec)...)},
		"ECDSA in PKCS#8": {ec, pkcs8(ec)},
	} {
		t.Run(name, func(t *testing.T) {
			certificate, err := (&Authority{caKey: tc.key}).newCA(now)
			if err != nil {
				t.Fatal(err)
			}
			for which, files := range map[string]map[string][]byte{
				"its certificate is given":    {"ca.crt": certificate, "ca.key": tc.pem},
				"its certificate is made":     {"ca.key": tc.pem},
				"tokens are signed by it":     {"sa.key": tc.pem},
				"the key's file has a header": {"ca.key": append([]byte("Bag Attributes\n"), tc.pem...)},
			} {
				p, err := Open(dirWith(t, files), now)
				if err != nil {
					t.Errorf("%s: %v", which, err)
					continue
				}
				signed, err := p.Serving([]net.IP{net.IPv4(127, 0, 0, 1)}, now)
				if err != nil {
					t.Errorf("%s: %v", which, err)
					continue
				}
				leaf, err := x509.ParseCertificate(signed.Certificate[0])
				if err != nil {
					t.Fatal(err)
				}
				roots := x509.NewCertPool()
				roots.AppendCertsFromPEM(p.caPEM)
				if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: "127.0.0.1"}); err != nil {
					t.Errorf("%s: nobody trusts the server: %v", which, err)
				}
			}
		})
	}
}

// TestAnAuthorityThatCannotBeUsed says why, and what to do.
func TestAnAuthorityThatCannotBeUsed(t *testing.T) {
	now := time.Now()
	key := ecKey(t, elliptic.P256())
	authority := func(change func(*x509.Certificate)) []byte {
		c := template("own", nil, now)
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
		change(c)
		der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
		return pemOf("CERTIFICATE", der, err)
	}
	good := authority(func(*x509.Certificate) {})
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		files map[string][]byte
		want  string
	}{
		"a certificate without its key": {map[string][]byte{"ca.crt": good}, "has no key: put it beside, as "},
		"a key of another authority":    {map[string][]byte{"ca.crt": good, "ca.key": sec1(ecKey(t, elliptic.P256()))}, "the key ca.key is not that of its first certificate"},
		"no authority":                  {map[string][]byte{"ca.crt": authority(func(c *x509.Certificate) { c.IsCA = false }), "ca.key": sec1(key)}, "may not sign others"},
		"one that is over": {map[string][]byte{"ca.crt": authority(func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Minute) }), "ca.key": sec1(key)},
			"it has expired"},
		"a key that is encrypted": {map[string][]byte{"ca.key": pemOf("ENCRYPTED PRIVATE KEY", []byte("x"), nil)}, "it is encrypted: take the passphrase away"},
		"a key of Ed25519":        {map[string][]byte{"ca.key": pkcs8(ed)}, "a key of another kind"},
		"a key on P-224":          {map[string][]byte{"sa.key": sec1(ecKey(t, elliptic.P224()))}, "want one of RSA, or of ECDSA on P-256"},
		"a certificate as a key":  {map[string][]byte{"ca.key": good}, "it is no private key of RSA or ECDSA in PKCS#1, PKCS#8 or SEC1"},
		"something else":          {map[string][]byte{"sa.key": []byte("hello")}, "it is no PEM file"},
		"a key as a certificate":  {map[string][]byte{"ca.key": sec1(key), "ca.crt": sec1(key)}, "it is no PEM certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := dirWith(t, tc.files)
			_, err := Open(dir, now)
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "remove the folder "+dir.File("pki")) {
				t.Errorf("error %v, want %q in it, and what to do", err, tc.want)
			}
		})
	}
}
