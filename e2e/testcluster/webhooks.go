package testcluster

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// WebhookInstallOptions say which webhooks beside the test the cluster calls, as those of
// envtest do: usually those of a manager under test. The configurations are the ones with
// which it is deployed. Where they name a Service, the cluster calls Cluster.Webhooks
// instead. The same goes for the conversion webhooks of CRDInstallOptions.
//
// A bubble of testing/synctest cannot have such a server in it: while it waits for
// connections, no sleep in the bubble ends.
type WebhookInstallOptions struct {
	// MutatingWebhooks and ValidatingWebhooks are configurations.
	MutatingWebhooks   []*admissionregistrationv1.MutatingWebhookConfiguration
	ValidatingWebhooks []*admissionregistrationv1.ValidatingWebhookConfiguration
	// Paths name files, and directories whose files (.yaml, .yml, .json) are read.
	// Whatever is no configuration is left out. A path that does not exist, or has no
	// configuration, fails the test.
	Paths []string
}

// WebhookServer is where the cluster calls webhooks beside the test, over HTTPS. The fields
// are those of controller-runtime's webhook.Options.
type WebhookServer struct {
	// Host is 127.0.0.1. Port is free when Start returns.
	Host string
	Port int
	// CertDir holds the server's certificate and its key, tls.crt and tls.key, until the
	// test ends.
	CertDir string
	// CAData is the authority of that certificate, PEM.
	CAData []byte
}

// Webhooks returns where the test must serve the webhooks of its Config. Until it does,
// requests that they concern fail, or not, as failurePolicy says.
func (c *Cluster) Webhooks() WebhookServer {
	c.t.Helper()
	if c.webhooks == nil {
		c.t.Fatalf("testcluster: the cluster calls no webhook here: set Config.WebhookInstallOptions to configurations whose clientConfig names a service")
	}
	return *c.webhooks
}

// objects are all configurations, the typed ones first.
func (o WebhookInstallOptions) objects() ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	mutating := admissionregistrationv1.SchemeGroupVersion.WithKind("MutatingWebhookConfiguration")
	validating := admissionregistrationv1.SchemeGroupVersion.WithKind("ValidatingWebhookConfiguration")
	for i, configuration := range o.MutatingWebhooks {
		u, err := untyped(configuration, mutating)
		if err != nil {
			return nil, fmt.Errorf("testcluster.Config.WebhookInstallOptions.MutatingWebhooks[%d]: %w", i, err)
		}
		all = append(all, u)
	}
	for i, configuration := range o.ValidatingWebhooks {
		u, err := untyped(configuration, validating)
		if err != nil {
			return nil, fmt.Errorf("testcluster.Config.WebhookInstallOptions.ValidatingWebhooks[%d]: %w", i, err)
		}
		all = append(all, u)
	}
	read, err := readPaths(o.Paths, mutating.GroupKind(), validating.GroupKind())
	if err != nil {
		return nil, fmt.Errorf("testcluster.Config.WebhookInstallOptions.Paths: %w", err)
	}
	if all, err = distinct(append(all, read...)); err != nil {
		return nil, fmt.Errorf("testcluster.Config.WebhookInstallOptions: %w", err)
	}
	return all, nil
}

// installWebhooks creates the configurations.
func (c *Cluster) installWebhooks() error {
	objects, err := c.config.WebhookInstallOptions.objects()
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := c.installWebhook(object); err != nil {
			return fmt.Errorf("%s %q: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return nil
}

func (c *Cluster) installWebhook(configuration *unstructured.Unstructured) error {
	webhooks, _, err := unstructured.NestedSlice(configuration.Object, "webhooks")
	if err != nil {
		return err
	}
	if len(webhooks) == 0 {
		return errors.New("it has no webhooks, so that nothing would be called: give it some, or leave it out of Config.WebhookInstallOptions")
	}
	for i := range webhooks {
		webhook, ok := webhooks[i].(map[string]any)
		if !ok {
			continue // the API server says what is wrong
		}
		if err := c.redirect(webhook); err != nil {
			return err
		}
	}
	if err := unstructured.SetNestedSlice(configuration.Object, webhooks, "webhooks"); err != nil {
		return err
	}
	return c.apply(configuration)
}

// redirectConversion redirects the conversion webhook of a definition, if it has one.
func (c *Cluster) redirectConversion(crd *unstructured.Unstructured) error {
	webhook, found, err := unstructured.NestedMap(crd.Object, "spec", "conversion", "webhook")
	if err != nil || !found {
		return err
	}
	if err := c.redirect(webhook); err != nil {
		return err
	}
	return unstructured.SetNestedMap(crd.Object, webhook, "spec", "conversion", "webhook")
}

// redirect makes a webhook that names a Service lead to Webhooks.
func (c *Cluster) redirect(webhook map[string]any) error {
	service, named, err := unstructured.NestedMap(webhook, "clientConfig", "service")
	if err != nil || !named {
		return err
	}
	path, _, err := unstructured.NestedString(service, "path")
	if err != nil {
		return err
	}
	if c.webhooks == nil {
		if c.webhooks, err = c.newWebhookServer(); err != nil {
			return fmt.Errorf("an address for webhooks: %w", err)
		}
	}
	address := net.JoinHostPort(c.webhooks.Host, strconv.Itoa(c.webhooks.Port))
	webhook["clientConfig"] = map[string]any{
		"url":      "https://" + address + "/" + strings.TrimPrefix(path, "/"),
		"caBundle": base64.StdEncoding.EncodeToString(c.webhooks.CAData),
	}
	return nil
}

// newWebhookServer finds a port and makes a certificate.
func (c *Cluster) newWebhookServer() (s *WebhookServer, err error) {
	s = &WebhookServer{Host: "127.0.0.1"}
	if s.Port, err = freePort(s.Host); err != nil {
		return nil, err
	}
	if s.CertDir, err = os.MkdirTemp("", "testcluster-webhooks"); err != nil {
		return nil, err
	}
	c.t.Cleanup(func() { c.must(os.RemoveAll(s.CertDir)) })
	certificate, key, err := selfSigned(net.ParseIP(s.Host))
	if err != nil {
		return nil, err
	}
	s.CAData = certificate
	return s, cmp.Or(
		os.WriteFile(filepath.Join(s.CertDir, "tls.crt"), certificate, 0o600),
		os.WriteFile(filepath.Join(s.CertDir, "tls.key"), key, 0o600),
	)
}

// freePort returns a free port, and keeps it from other tests for a minute. While the kernel
// remembers a connection that was closed from this port, a listener on port 0 does not get
// it, and a listener that names it does, since Go sets SO_REUSEADDR.
func freePort(host string) (int, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		return 0, err
	}
	defer func() { _ = client.Close() }()
	server, err := listener.Accept()
	if err != nil {
		return 0, err
	}
	return listener.Addr().(*net.TCPAddr).Port, server.Close()
}

// selfSigned makes a certificate that is its own authority, and its key, both PEM. It does
// not expire, so that nobody needs to know the time.
func selfSigned(host net.IP) (certificate, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "testcluster webhooks"}, IPAddresses: []net.IP{host},
		NotBefore: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA: true, BasicConstraintsValid: true,
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return nil, nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), nil
}
