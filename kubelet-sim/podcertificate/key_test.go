package podcertificate

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"reflect"
	"testing"
)

func TestPodKeys(t *testing.T) {
	for _, keyType := range []string{"RSA3072", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519"} {
		t.Run(keyType, func(t *testing.T) {
			key, request, err := newKey(keyType, 7)
			if err != nil {
				t.Fatal(err)
			}
			again, same, err := newKey(keyType, 7)
			if err != nil || !bytes.Equal(key, again) || !bytes.Equal(request, same) {
				t.Errorf("a seed gives two keys, or an error: %v", err)
			}
			parsed, err := x509.ParseCertificateRequest(request)
			if err != nil {
				t.Fatal(err)
			}
			if err := parsed.CheckSignature(); err != nil {
				t.Errorf("the request's signature: %v", err)
			}
			block, _ := pem.Decode(key)
			private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			if public := private.(crypto.Signer).Public(); !reflect.DeepEqual(public, parsed.PublicKey) {
				t.Error("the request is for another key")
			}
		})
	}
	one, _, err := newKey("ED25519", 1)
	if err != nil {
		t.Fatal(err)
	}
	if two, _, _ := newKey("ED25519", 2); bytes.Equal(one, two) {
		t.Error("two seeds give one key")
	}
	if _, _, err := newKey("ED448", 1); err == nil || err.Error() != `while generating keypair: unknown key type "ED448"` {
		t.Errorf("error %v", err)
	}
}
