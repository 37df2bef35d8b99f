package pki

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/kubernetes/pkg/controller/certificates/authority"
)

// How long before the present a certificate that Issue signs is good, and what a short
// one is, whose end is not moved by that. Source: signer.sign in k8s.io/kubernetes
// pkg/controller/certificates/signer v1.37.2.
const (
	backdate = 5 * time.Minute
	short    = 8 * time.Hour
)

// Issue signs the request of a CertificateSigningRequest, in DER. The certificate is good
// for ttl from now, in virtual time: an object's content may not depend on the wall clock.
// See Issued.
//
// Upstream's authority decides what is in the certificate, and what is refused. But it
// draws the serial number, and what a signature of ECDSA needs, from the system. The same
// request must have the same certificate in every run with this authority. So the number
// is replaced by one that follows from the content, and the signature is that of RFC 6979.
//
// Deviation: the end of the authority itself, which follows the wall clock, does not
// shorten the certificate.
func (p *Authority) Issue(request []byte, usages []certificatesv1.KeyUsage, ttl time.Duration, now time.Time) ([]byte, error) {
	endless := *p.ca
	endless.NotAfter = now.Add(ttl).AddDate(1, 0, 0)
	signer := authority.CertificateAuthority{Certificate: &endless, PrivateKey: p.caKey}
	der, err := signer.Sign(request, authority.PermissiveSigningPolicy{
		TTL: ttl, Usages: usages, Backdate: backdate, Short: short, Now: func() time.Time { return now },
	})
	if err != nil {
		return nil, err
	}
	template, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("failed to sign certificate: %w", err)
	}
	template.SerialNumber = serial(template)
	if der, err = x509.CreateCertificate(nil, template, p.ca, template.PublicKey, p.caKey); err != nil {
		return nil, fmt.Errorf("failed to sign certificate: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

// Issued reports whether Issue has made a certificate, if it is one of the authority's:
// nobody else has its serial number. Such a certificate is good in virtual time. All
// others (the administrator's, and what openssl has signed with the authority's key)
// follow the wall clock.
func Issued(c *x509.Certificate) bool { return serial(c).Cmp(c.SerialNumber) == 0 }

// authorityKeyID is the extension that names the authority's key (RFC 5280, 4.2.1.1). It
// is not part of the serial number, so that this is the same in all runs of a seed.
//
//nolint:gochecknoglobals // nobody writes it
var authorityKeyID = asn1.ObjectIdentifier{2, 5, 29, 35}

// serial is the number of a certificate that Issue makes: 128 bits, as upstream's are.
func serial(c *x509.Certificate) *big.Int {
	h := sha256.New()
	part := func(b []byte) {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(b))))
		h.Write(b)
	}
	part([]byte("kubesim"))
	part(c.RawSubject)
	part(c.RawSubjectPublicKeyInfo)
	part(binary.BigEndian.AppendUint64(nil, uint64(c.NotBefore.Unix())))
	part(binary.BigEndian.AppendUint64(nil, uint64(c.NotAfter.Unix())))
	for _, extension := range c.Extensions {
		if !extension.Id.Equal(authorityKeyID) {
			part([]byte(extension.Id.String()))
			part(extension.Value)
		}
	}
	return new(big.Int).SetBytes(h.Sum(nil)[:16])
}
