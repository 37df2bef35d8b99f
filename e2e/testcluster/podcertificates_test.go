package testcluster

import (
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// certified is a Pod that waits for a certificate of its own.
const certified = `
apiVersion: v1
kind: Pod
metadata: {name: certified}
spec:
  containers: [{name: c, image: busybox, command: [sleep, "1000000"]}]
  volumes: [{name: v, projected: {sources: [{podCertificate: {signerName: example.com/none, keyType: ED25519, credentialBundlePath: a}}]}}]
`

// TestOldRequestsOfPodsAreDeleted: after a quarter of an hour. The kubelet asks again,
// unless it has its answer.
func TestOldRequestsOfPodsAreDeleted(t *testing.T) {
	t.Parallel()
	c := Start(t, Config{Seed: 5, Nodes: 1})
	c.Apply(certified)
	c.Advance(time.Minute)
	requests := c.Client().CertificatesV1().PodCertificateRequests("default")
	now := func() []certificatesv1.PodCertificateRequest {
		t.Helper()
		list, err := requests.List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return list.Items
	}
	first := now()
	if len(first) != 1 {
		t.Fatalf("the Pod has %d requests, want 1", len(first))
	}
	c.Advance(13 * time.Minute)
	if same := now(); len(same) != 1 || same[0].UID != first[0].UID {
		t.Fatalf("after 14 minutes the requests are %v, want the first", same)
	}
	c.Advance(2 * time.Minute)
	second := now()
	if len(second) != 1 || second[0].UID == first[0].UID {
		t.Fatalf("after a quarter of an hour the requests are %v, want another one", second)
	}
	second[0].Status.Conditions = []metav1.Condition{{
		Type: certificatesv1.PodCertificateRequestConditionTypeDenied, Status: metav1.ConditionTrue, Reason: "No", Message: "no", LastTransitionTime: metav1.NewTime(c.Now()),
	}}
	if _, err := requests.UpdateStatus(t.Context(), &second[0], metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.Advance(time.Hour)
	if left := now(); len(left) != 0 {
		t.Errorf("an hour after the denial there are %d requests, want none", len(left))
	}
}
