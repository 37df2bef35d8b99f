package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// etcdServer is an etcd process with one member.
type etcdServer struct {
	url, dir, peer string
	// secured: etcd and its clients must show the certificate in these files,
	// which is its own authority.
	secured           bool
	certFile, keyFile string
	cmd               *exec.Cmd
}

// makeEtcd builds bin/etcd for the first test that wants it.
var makeEtcd = sync.OnceValue(func() error { return makeBinary("etcd") })

// newEtcd starts the etcd of the module graph, on free ports, for one test.
func newEtcd(t *testing.T) *etcdServer {
	t.Helper()
	e := &etcdServer{dir: t.TempDir(), url: "http://" + freeAddress(t), peer: "http://" + freeAddress(t)}
	e.start(t)
	t.Cleanup(func() { e.kill() })
	return e
}

// newSecuredEtcd starts one that talks TLS only, to who has a certificate.
func newSecuredEtcd(t *testing.T) *etcdServer {
	t.Helper()
	dir := t.TempDir()
	e := &etcdServer{
		dir: filepath.Join(dir, "data"), url: "https://" + freeAddress(t), peer: "http://" + freeAddress(t),
		secured: true, certFile: filepath.Join(dir, "etcd.crt"), keyFile: filepath.Join(dir, "etcd.key"),
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage:    x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{
		e.certFile: {Type: "CERTIFICATE", Bytes: certificate}, e.keyFile: {Type: "EC PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	e.start(t)
	t.Cleanup(func() { e.kill() })
	return e
}

// freeAddress is one that nobody listens on now. etcd must be told its own
// address, so that it cannot choose a port itself.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start starts etcd, for the first time or again, and waits until it answers.
func (e *etcdServer) start(t *testing.T) {
	t.Helper()
	binary, err := filepath.Abs("../bin/etcd")
	if err != nil {
		t.Fatal(err)
	}
	if err := makeEtcd(); err != nil {
		t.Fatal(err)
	}
	e.cmd = exec.Command(binary, "--data-dir", e.dir, "--log-level", "error",
		"--listen-client-urls", e.url, "--advertise-client-urls", e.url,
		"--listen-peer-urls", e.peer, "--initial-advertise-peer-urls", e.peer, "--initial-cluster", "default="+e.peer)
	if e.secured {
		e.cmd.Args = append(e.cmd.Args, "--cert-file", e.certFile, "--key-file", e.keyFile, "--trusted-ca-file", e.certFile, "--client-cert-auth")
	}
	said := &bytes.Buffer{}
	e.cmd.Stderr = said
	if err := e.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(startMax); !e.healthy(t); time.Sleep(untilInterval) {
		if time.Now().After(deadline) {
			e.kill()
			t.Fatalf("etcd does not answer at %s; it said:\n%s", e.url, said)
		}
	}
}

// healthy reports whether etcd says that it is.
func (e *etcdServer) healthy(t *testing.T) bool {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	if e.secured {
		certificate, err := tls.LoadX509KeyPair(e.certFile, e.keyFile)
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AddCert(certificate.Leaf)
		transport.TLSClientConfig = &tls.Config{Certificates: []tls.Certificate{certificate}, RootCAs: roots}
	}
	response, err := (&http.Client{Transport: transport}).Get(e.url + "/health")
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// kill ends etcd as a crash does.
func (e *etcdServer) kill() {
	_ = e.cmd.Process.Kill()
	_ = e.cmd.Wait()
}
