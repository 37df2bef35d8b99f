package podcertificate

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"math/big"
)

// newKey is a private key for a Pod's certificate and the empty request that
// proves who holds it. Both follow from seed: the key is as secret as the cluster's
// seed, which is enough for a simulation. Source: generateKeyAndProof in
// k8s.io/kubernetes pkg/kubelet/podcertificate v1.37.2.
func newKey(keyType string, seed uint64) (keyPEM, request []byte, err error) {
	key, err := privateKey(keyType, &seedReader{seed: seed})
	if err != nil {
		return nil, nil, fmt.Errorf("while generating keypair: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("while PEM-encoding private key: %w", err)
	}
	// Without a source of randomness the signatures are those of RFC 6979.
	request, err = x509.CreateCertificateRequest(nil, &x509.CertificateRequest{}, key)
	if err != nil {
		return nil, nil, fmt.Errorf("while generating stub PKCS#10 request: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), request, nil
}

// privateKey makes a key of a type that the API knows. The library's own
// generators draw from the system, whatever source they are given.
func privateKey(keyType string, random *seedReader) (crypto.PrivateKey, error) {
	switch keyType {
	case "RSA3072":
		return rsaKey(3072, random)
	case "RSA4096":
		return rsaKey(4096, random)
	case "ECDSAP256":
		return ecdsaKey(elliptic.P256(), random)
	case "ECDSAP384":
		return ecdsaKey(elliptic.P384(), random)
	case "ECDSAP521":
		return ecdsaKey(elliptic.P521(), random)
	case "ED25519":
		return ed25519.NewKeyFromSeed(random.bytes(ed25519.SeedSize)), nil
	}
	return nil, fmt.Errorf("unknown key type %q", keyType)
}

func ecdsaKey(curve elliptic.Curve, random *seedReader) (*ecdsa.PrivateKey, error) {
	bits := curve.Params().BitSize
	for {
		b := random.bytes((bits + 7) / 8)
		b[0] >>= (8 - bits%8) % 8
		// Nearly every number of that many bits is a key.
		if n := new(big.Int).SetBytes(b); n.Sign() > 0 && n.Cmp(curve.Params().N) < 0 {
			return ecdsa.ParseRawPrivateKey(curve, b)
		}
	}
}

// rsaExponent is everybody's public exponent.
const rsaExponent = 65537

func rsaKey(bits int, random *seedReader) (*rsa.PrivateKey, error) {
	e, one := big.NewInt(rsaExponent), big.NewInt(1)
	p, q := random.prime(bits/2), random.prime(bits/2)
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	d := new(big.Int).ModInverse(e, phi)
	if d == nil || p.Cmp(q) == 0 {
		return rsaKey(bits, random)
	}
	key := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: rsaExponent}, D: d, Primes: []*big.Int{p, q}}
	key.Precompute()
	return key, key.Validate()
}

// seedReader is a stream of bytes that follows from a seed.
type seedReader struct{ seed, block uint64 }

// bytes returns the next n bytes, and drops what is left of the last block.
func (r *seedReader) bytes(n int) []byte {
	var out []byte
	for len(out) < n {
		sum := sha256.Sum256(binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, r.seed), r.block))
		out = append(out, sum[:]...)
		r.block++
	}
	return out[:n]
}

// primeTests are the Miller-Rabin tests of a prime, beside the one of Baillie,
// Pomerance, Selfridge and Wagstaff. They draw from the number alone.
const primeTests = 5

// prime returns a prime with its two highest bits set, so that the product of two
// has twice as many bits.
func (r *seedReader) prime(bits int) *big.Int {
	b := r.bytes(bits / 8)
	b[0] |= 0xc0
	b[len(b)-1] |= 1
	p, two := new(big.Int).SetBytes(b), big.NewInt(2)
	for !p.ProbablyPrime(primeTests) {
		p.Add(p, two)
	}
	return p
}
