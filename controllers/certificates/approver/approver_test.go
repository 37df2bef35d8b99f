package approver

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestDecide(t *testing.T) {
	const kubelet = "kubernetes.io/kube-apiserver-client-kubelet"
	own := question{"selfnodeclient", "Auto approving self kubelet client certificate after SubjectAccessReview."}
	others := question{"nodeclient", "Auto approving kubelet client certificate after SubjectAccessReview."}
	usages := []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageClientAuth}
	for name, tc := range map[string]struct {
		signer, user, cn string
		usages           []certificatesv1.KeyUsage
		want             []question
	}{
		"a kubelet renews its own":          {kubelet, "system:node:n1", "system:node:n1", usages, []question{own, others}},
		"a bootstrap token asks for a node": {kubelet, "system:bootstrap:abc", "system:node:n1", usages, []question{others}},
		"another signer":                    {"kubernetes.io/kube-apiserver-client", "system:node:n1", "system:node:n1", usages, nil},
		"no node":                           {kubelet, "jane", "jane", usages, nil},
		"other usages":                      {kubelet, "system:node:n1", "system:node:n1", usages[:1], nil},
	} {
		t.Run(name, func(t *testing.T) {
			csr := &certificatesv1.CertificateSigningRequest{Spec: certificatesv1.CertificateSigningRequestSpec{SignerName: tc.signer, Username: tc.user, Usages: tc.usages}}
			got := decide(csr, &x509.CertificateRequest{Subject: pkix.Name{CommonName: tc.cn, Organization: []string{"system:nodes"}}})
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("questions (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAgain(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	csr := &certificatesv1.CertificateSigningRequest{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(noon)}}
	for age, want := range map[time.Duration]time.Duration{
		0: 200 * time.Millisecond, 200 * time.Millisecond: 400 * time.Millisecond, time.Hour: 1000 * time.Second, -time.Hour: 200 * time.Millisecond,
	} {
		if got := again(csr, noon.Add(age)).Sub(noon.Add(age)); got != want {
			t.Errorf("a request of the age %s waits %s, want %s", age, got, want)
		}
	}
}
