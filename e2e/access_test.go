package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
)

// TestAccess shows who is let in: the owner of the kubeconfig and nobody else.
func TestAccess(t *testing.T) {
	s := newServer(t, "--ephemeral", "--nodes", "0")
	config, err := clientcmd.BuildConfigFromFlags("", s.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(config.CAData) {
		t.Fatal("the kubeconfig holds no authority")
	}
	own, err := tls.X509KeyPair(config.CertData, config.KeyData)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		path        string
		certificate *tls.Certificate
		want        int
	}{
		"the owner may list Pods":                   {"/api/v1/pods", &own, http.StatusOK},
		"nobody else may list Pods":                 {"/api/v1/pods", nil, http.StatusUnauthorized},
		"nobody else may see what the API has":      {"/apis", nil, http.StatusUnauthorized},
		"nobody else may read the metrics":          {"/metrics", nil, http.StatusUnauthorized},
		"a certificate of another CA is worthless":  {"/api/v1/pods", selfSigned(t), http.StatusUnauthorized},
		"everybody may ask for health":              {"/readyz", nil, http.StatusOK},
		"everybody may ask for the version":         {"/version", nil, http.StatusOK},
		"what does not exist is no way around that": {"/nothing", nil, http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			tlsConfig := &tls.Config{RootCAs: roots}
			if tc.certificate != nil {
				// Offered even if the server did not ask for its authority.
				tlsConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return tc.certificate, nil }
			}
			client := &http.Client{Transport: &http.Transport{TLSClientConfig: tlsConfig, DisableKeepAlives: true}}
			resp, err := client.Get(config.Host + tc.path)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != tc.want {
				t.Errorf("GET %s: status %d, want %d", tc.path, resp.StatusCode, tc.want)
			}
		})
	}
}

// TestOnlyLoopbackListens looks at the process's own sockets.
func TestOnlyLoopbackListens(t *testing.T) {
	s := newServer(t, "--ephemeral")
	listening := listeners(t, s.cmd.Process.Pid)
	if len(listening) != 1 {
		t.Errorf("%d sockets listen, want the API's alone: %v", len(listening), listening)
	}
	for _, ip := range listening {
		if !ip.IsLoopback() {
			t.Errorf("a socket listens on %v: others on the network can reach it", ip)
		}
	}
}

// listeners returns the addresses on which a process listens.
func listeners(t *testing.T, pid int) []net.IP {
	t.Helper()
	own := map[string]bool{}
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil || len(links) == 0 {
		t.Fatalf("no file descriptors of process %d: %v", pid, err)
	}
	for _, link := range links {
		// A descriptor may have been closed since: then it is no listener.
		if target, err := os.Readlink(link); err == nil {
			own[target] = true
		}
	}
	var ips []net.IP
	for _, table := range []string{"tcp", "tcp6", "udp", "udp6"} {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if err != nil {
			continue // no IPv6
		}
		for _, line := range strings.Split(string(data), "\n") {
			// local address 1, state 3 (0A: LISTEN, 07: an open UDP socket), inode 9.
			f := strings.Fields(line)
			if len(f) > 9 && (f[3] == "0A" || f[3] == "07") && own["socket:["+f[9]+"]"] {
				ips = append(ips, procIP(t, f[1]))
			}
		}
	}
	return ips
}

// procIP reads an address of /proc/net: words in the machine's byte order,
// which is little-endian on every machine that Kubernetes is built for but s390x.
func procIP(t *testing.T, address string) net.IP {
	t.Helper()
	host, _, _ := strings.Cut(address, ":")
	ip, err := hex.DecodeString(host)
	if err != nil {
		t.Fatalf("address %q: %v", address, err)
	}
	for word := 0; word < len(ip); word += 4 {
		ip[word], ip[word+1], ip[word+2], ip[word+3] = ip[word+3], ip[word+2], ip[word+1], ip[word]
	}
	return ip
}

// TestKubeconfigIsItsOwnersAlone looks at every file that a server leaves.
func TestKubeconfigIsItsOwnersAlone(t *testing.T) {
	s := newServer(t, "--nodes", "0")
	err := filepath.Walk(filepath.Dir(s.kubeconfig), func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %s: others can read it", path, strconv.FormatUint(uint64(info.Mode().Perm()), 8))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// selfSigned returns a client certificate that claims to be an administrator's.
func selfSigned(t *testing.T) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "kubernetes-admin", Organization: []string{"system:masters"}},
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
