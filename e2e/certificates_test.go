package e2e

import (
	"crypto/ed25519"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/ptr"
)

// TestARestartChangesNoCertificate: requests are approved, denied, refused, signed and
// cleaned up, whether the server is restarted in between or not; and a user whose
// certificate is good for two hours is let in for two hours of virtual time.
func TestARestartChangesNoCertificate(t *testing.T) {
	t.Parallel()
	whole, again := certificateActs(t, false), certificateActs(t, true)
	same(t, "event log", whole.events, again.events)
	same(t, "objects", whole.objects, again.objects)
	if !strings.Contains(whole.objects, "certificatesigningrequests ") {
		t.Error("no request is left, want the one that nobody has judged")
	}
}

func certificateActs(t *testing.T, restart bool) outcome {
	t.Helper()
	var jane []byte // her certificate
	asJane := func(s *server) error { return listPods(t, s, jane) }
	return inActs(t, restart, []string{"--clock", "manual", "--nodes", "0"}, []func(*server){
		func(s *server) {
			askFor(t, s, "jane", "kubernetes.io/kube-apiserver-client", pkix.Name{CommonName: "jane"}, certificatesv1.UsageClientAuth)
			askFor(t, s, "pending", "kubernetes.io/kube-apiserver-client", pkix.Name{CommonName: "jane"}, certificatesv1.UsageClientAuth)
			askFor(t, s, "denied", "kubernetes.io/kube-apiserver-client", pkix.Name{CommonName: "jane"}, certificatesv1.UsageClientAuth)
			askFor(t, s, "server", "kubernetes.io/kube-apiserver-client", pkix.Name{CommonName: "jane"}, certificatesv1.UsageServerAuth)
			askFor(t, s, "node", "kubernetes.io/kube-apiserver-client-kubelet",
				pkix.Name{CommonName: "system:node:n1", Organization: []string{"system:nodes"}}, certificatesv1.UsageDigitalSignature, certificatesv1.UsageClientAuth)
		},
		func(s *server) {
			judge(t, s, "jane", certificatesv1.CertificateApproved)
			judge(t, s, "server", certificatesv1.CertificateApproved)
			judge(t, s, "denied", certificatesv1.CertificateDenied)
		},
		func(s *server) {
			wantConditions(t, s, map[string]string{
				"jane": "Approved issued", "pending": "", "denied": "Denied", "node": "Approved issued", "server": "Approved Failed",
			})
			csr, err := clientOf(t, s).CertificatesV1().CertificateSigningRequests().Get(t.Context(), "jane", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			jane = csr.Status.Certificate
			if err := asJane(s); !apierrors.IsForbidden(err) {
				t.Errorf("jane got %v, want Forbidden: she has no right yet", err)
			}
			s.kubectl(t, "", "create", "clusterrolebinding", "jane", "--clusterrole=view", "--user=jane")
		},
		func(s *server) { s.clock(t, "advance", "59m") },
		func(s *server) {
			if err := asJane(s); err != nil {
				t.Errorf("jane got %v", err)
			}
			wantConditions(t, s, map[string]string{
				"jane": "Approved issued", "pending": "", "denied": "Denied", "node": "Approved issued", "server": "Approved Failed",
			})
		},
		func(s *server) { s.clock(t, "advance", "1m") },
		func(s *server) {
			wantConditions(t, s, map[string]string{"pending": ""})
			if err := asJane(s); err != nil {
				t.Errorf("an hour later jane got %v: her certificate outlives its request", err)
			}
		},
		func(s *server) { s.clock(t, "advance", "1h1s") },
		func(s *server) {
			if err := asJane(s); !apierrors.IsUnauthorized(err) {
				t.Errorf("two hours later jane got %v, want Unauthorized: her certificate has expired", err)
			}
		},
	})
}

// janesKey is everybody's key. It follows from nothing, so that two runs ask the same.
func janesKey() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)) }

// askFor creates a CertificateSigningRequest for two hours.
func askFor(t *testing.T, s *server, name, signer string, subject pkix.Name, usages ...certificatesv1.KeyUsage) {
	t.Helper()
	der, err := x509.CreateCertificateRequest(nil, &x509.CertificateRequest{Subject: subject}, janesKey())
	if err != nil {
		t.Fatal(err)
	}
	csr := &certificatesv1.CertificateSigningRequest{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: certificatesv1.CertificateSigningRequestSpec{
		Request:    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}),
		SignerName: signer, Usages: usages, ExpirationSeconds: ptr.To[int32](7200),
	}}
	if _, err := clientOf(t, s).CertificatesV1().CertificateSigningRequests().Create(t.Context(), csr, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// judge approves or denies as kubectl does, with the wall clock's time.
func judge(t *testing.T, s *server, name string, how certificatesv1.RequestConditionType) {
	t.Helper()
	client := clientOf(t, s).CertificatesV1().CertificateSigningRequests()
	csr, err := client.Get(t.Context(), name, metav1.GetOptions{})
	if err == nil {
		csr.Status.Conditions = append(csr.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
			Type: how, Status: corev1.ConditionTrue, Reason: "Test", LastUpdateTime: metav1.Now(),
		})
		_, err = client.UpdateApproval(t.Context(), name, csr, metav1.UpdateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// wantConditions compares what is said of each request.
func wantConditions(t *testing.T, s *server, want map[string]string) {
	t.Helper()
	list, err := clientOf(t, s).CertificatesV1().CertificateSigningRequests().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, csr := range list.Items {
		var words []string
		for _, c := range csr.Status.Conditions {
			words = append(words, string(c.Type))
		}
		slices.Sort(words)
		if len(csr.Status.Certificate) > 0 {
			words = append(words, "issued")
		}
		got[csr.Name] = strings.Join(words, " ")
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the requests are %v, want %v", got, want)
	}
}

// listPods asks as the owner of a certificate.
func listPods(t *testing.T, s *server, certificate []byte) error {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", s.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	key := pemOfKey(t)
	user := rest.AnonymousClientConfig(config)
	user.CertData, user.KeyData = certificate, key
	_, err = kubernetes.NewForConfigOrDie(user).CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{})
	return err
}

func pemOfKey(t *testing.T) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(janesKey())
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// withoutSignature leaves of a certificate its serial number, which follows from all that
// is in it but the authority's part, and forgets by which certificate its requester was
// known.
func withoutSignature(o *unstructured.Unstructured) {
	text, found, _ := unstructured.NestedString(o.Object, "status", "certificate")
	if raw, err := base64.StdEncoding.DecodeString(text); found && err == nil {
		if block, _ := pem.Decode(raw); block != nil {
			if c, err := x509.ParseCertificate(block.Bytes); err == nil {
				_ = unstructured.SetNestedField(o.Object, c.SerialNumber.String(), "status", "certificate")
			}
		}
	}
	unstructured.RemoveNestedField(o.Object, "spec", "extra", "authentication.kubernetes.io/credential-id")
}
