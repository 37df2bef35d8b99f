package pki

import (
	"bytes"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
)

func request(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject:  pkix.Name{CommonName: "jane", Organization: []string{"dev"}},
		DNSNames: []string{"jane.example.com"}, IPAddresses: []net.IP{net.IPv4(192, 0, 2, 7)},
	}, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestIssue(t *testing.T) {
	wall := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	// Virtual time is years away from the wall clock, on both sides of the authority's life.
	for name, now := range map[string]time.Time{
		"before the authority": time.Date(2001, 2, 3, 4, 5, 6, 700, time.UTC),
		"after it":             time.Date(2200, 2, 3, 4, 5, 6, 700, time.UTC),
	} {
		for kind, caKey := range map[string]map[string][]byte{
			"ECDSA": {"ca.key": sec1(ecKey(t, elliptic.P256()))},
			"RSA":   {"ca.key": pkcs8(rsaKey(t))},
		} {
			t.Run(name+", "+kind, func(t *testing.T) {
				p, err := Open(dirWith(t, caKey), wall)
				if err != nil {
					t.Fatal(err)
				}
				csr := request(t, rsaKey(t))
				usages := []certificatesv1.KeyUsage{certificatesv1.UsageClientAuth}
				first, err := p.Issue(csr, usages, time.Hour, now)
				if err != nil {
					t.Fatal(err)
				}
				if again, err := p.Issue(csr, usages, time.Hour, now); err != nil || !bytes.Equal(first, again) {
					t.Errorf("one request has two certificates, or an error: %v", err)
				}
				c, err := parseCertificate(first)
				if err != nil {
					t.Fatal(err)
				}
				if err := c.CheckSignatureFrom(p.ca); err != nil {
					t.Errorf("the signature: %v", err)
				}
				whole := now.Truncate(time.Second)
				if !c.NotBefore.Equal(whole.Add(-5*time.Minute)) || !c.NotAfter.Equal(whole.Add(time.Hour)) {
					t.Errorf("it is good from %s to %s, want five minutes before and an hour after %s", c.NotBefore, c.NotAfter, whole)
				}
				if c.Subject.String() != "CN=jane,O=dev" || len(c.DNSNames) != 1 || len(c.IPAddresses) != 1 ||
					len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != x509.ExtKeyUsageClientAuth || c.IsCA {
					t.Errorf("the certificate is for %s, names %v %v, usages %v, CA %t", c.Subject, c.DNSNames, c.IPAddresses, c.ExtKeyUsage, c.IsCA)
				}
				if c.SerialNumber.Sign() <= 0 || c.SerialNumber.BitLen() > 128 || !Issued(c) {
					t.Errorf("the serial number %x is not one of Issue", c.SerialNumber)
				}
			})
		}
	}
}

func TestWhatIsNotIssued(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	p, err := Open(dirWith(t, nil), now)
	if err != nil {
		t.Fatal(err)
	}
	administrator, _, err := p.Administrator(now)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"the administrator's certificate": administrator, "the authority": p.Certificate()} {
		c, err := parseCertificate(text)
		if err != nil {
			t.Fatal(err)
		}
		if Issued(c) {
			t.Errorf("%s is taken for an issued one, which follows virtual time", name)
		}
	}
	// The serial number is the same whoever signs: nothing else of a run's objects is the
	// authority's but the signature and the name of its key.
	other, err := Open(dirWith(t, nil), now)
	if err != nil {
		t.Fatal(err)
	}
	csr := request(t, ecKey(t, elliptic.P256()))
	var numbers [2]string
	for i, authority := range []*Authority{p, other} {
		text, err := authority.Issue(csr, nil, time.Hour, now)
		if err != nil {
			t.Fatal(err)
		}
		c, err := parseCertificate(text)
		if err != nil {
			t.Fatal(err)
		}
		numbers[i] = c.SerialNumber.String()
	}
	if numbers[0] != numbers[1] {
		t.Errorf("two authorities number a certificate %s and %s", numbers[0], numbers[1])
	}
}

func TestIssueRefuses(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	p, err := Open(dirWith(t, nil), now)
	if err != nil {
		t.Fatal(err)
	}
	good := request(t, ecKey(t, elliptic.P256()))
	forged := bytes.Clone(good)
	forged[len(forged)-1] ^= 1
	block, _ := pem.Decode(p.Certificate())
	for name, tc := range map[string]struct {
		request []byte
		usages  []certificatesv1.KeyUsage
		want    string
	}{
		"a usage that nobody knows": {good, []certificatesv1.KeyUsage{"flying"}, `unrecognized usage values: ["flying"]`},
		"another's signature":       {forged, nil, "unable to verify certificate request signature: "},
		"no request":                {block.Bytes, nil, "unable to parse certificate request: "},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := p.Issue(tc.request, tc.usages, time.Hour, now); err == nil || !bytes.HasPrefix([]byte(err.Error()), []byte(tc.want)) {
				t.Errorf("got %v, want %s…", err, tc.want)
			}
		})
	}
}
