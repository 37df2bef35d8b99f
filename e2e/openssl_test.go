package e2e

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// commands are what scripts and pages run beside kubectl. A machine without openssl gets
// a stand-in for the two commands that the pages show.
func commands(own map[string]func()) map[string]func() {
	if _, err := exec.LookPath("openssl"); err != nil {
		own["openssl"] = func() {
			if err := openssl(os.Args[1:]); err != nil {
				fmt.Fprintln(os.Stderr, "openssl (stand-in):", err)
				os.Exit(1)
			}
		}
	}
	return own
}

// openssl makes a key (genrsa -out FILE BITS) or a request
// (req -new -key FILE -subj /O=GROUP/CN=NAME -out FILE).
func openssl(args []string) error {
	flags := map[string]string{}
	for i := 1; i+1 < len(args); i++ {
		flags[args[i]] = args[i+1]
	}
	switch args[0] {
	case "genrsa":
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return err
		}
		return writePEM(flags["-out"], "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
	case "req":
		data, err := os.ReadFile(flags["-key"])
		if err != nil {
			return err
		}
		block, _ := pem.Decode(data)
		if block == nil {
			return errors.New("the key is no PEM file")
		}
		key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			return err
		}
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: subject(flags["-subj"])}, key)
		if err != nil {
			return err
		}
		return writePEM(flags["-out"], "CERTIFICATE REQUEST", der)
	}
	return fmt.Errorf("%s: only genrsa and req are there", args[0])
}

func subject(text string) (name pkix.Name) {
	for part := range strings.SplitSeq(text, "/") {
		switch key, value, _ := strings.Cut(part, "="); key {
		case "CN":
			name.CommonName = value
		case "O":
			name.Organization = append(name.Organization, value)
		}
	}
	return name
}

func writePEM(file, kind string, der []byte) error {
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

// TestOpensslStandIn: on a machine that has openssl, the stand-in is not used otherwise.
func TestOpensslStandIn(t *testing.T) {
	dir := t.TempDir()
	key, request := filepath.Join(dir, "key"), filepath.Join(dir, "csr")
	for _, args := range [][]string{{"genrsa", "-out", key, "2048"}, {"req", "-new", "-key", key, "-subj", "/O=developers/CN=jane", "-out", request}} {
		if err := openssl(args); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(request)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil || csr.CheckSignature() != nil || csr.Subject.String() != "CN=jane,O=developers" {
		t.Errorf("the request is %+v, error %v", csr, err)
	}
}
