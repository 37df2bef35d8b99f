package lifecycle

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// certified is a Pod that prints its credential bundle every 10 seconds.
func certified(keyType string) *corev1.Pod {
	pod := watching(corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{
		PodCertificate: &corev1.PodCertificateProjection{
			SignerName: "example.com/signer", KeyType: keyType, CredentialBundlePath: "bundle.pem", UserAnnotations: map[string]string{"example.com/a": "b"},
		},
	}}}}, "bundle.pem")
	pod.Spec.ServiceAccountName = "robot"
	return pod
}

// withSigner is a cluster with what a request names.
func withSigner(t *testing.T) *cluster {
	c := newCluster(t, engine.Manual)
	c.create(engine.ServiceAccounts, &corev1.ServiceAccount{ObjectMeta: meta("robot")})
	c.create(engine.Nodes, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-1"}})
	return c
}

// requests are those that were not answered.
func (c *cluster) requests() []*certificatesv1.PodCertificateRequest {
	c.api.mu.Lock()
	defer c.api.mu.Unlock()
	var all []*certificatesv1.PodCertificateRequest
	for _, obj := range c.api.objects[engine.PodCertificateRequests] {
		if request := obj.(*certificatesv1.PodCertificateRequest); len(request.Status.Conditions) == 0 {
			all = append(all, request)
		}
	}
	return all
}

// answer answers the one request there is.
func (c *cluster) answer(condition metav1.Condition, chain string, refresh time.Time) *certificatesv1.PodCertificateRequest {
	c.t.Helper()
	open := c.requests()
	if len(open) != 1 {
		c.t.Fatalf("%d requests are open, want 1", len(open))
	}
	next := open[0].DeepCopy()
	at := metav1.NewTime(refresh)
	next.Status = certificatesv1.PodCertificateRequestStatus{Conditions: []metav1.Condition{condition}, CertificateChain: chain, BeginRefreshAt: &at}
	c.change(engine.PodCertificateRequests, next)
	return next
}

func issued() metav1.Condition {
	return metav1.Condition{Type: certificatesv1.PodCertificateRequestConditionTypeIssued, Status: metav1.ConditionTrue}
}

func TestPodCertificates(t *testing.T) {
	c := withSigner(t)
	c.create(engine.Pods, certified("ED25519"))
	events := c.happened("p")
	want := `FailedMount MountVolume.SetUp failed for volume "v" : credential bundle is not issued yet`
	if got := events[len(events)-1]; got != want {
		t.Errorf("event %q, want %q", got, want)
	}
	request := c.answer(issued(), "noise\n"+anchors("leaf", "root"), noon.Add(30*time.Second))
	spec := request.Spec
	spec.StubPKCS10Request = nil
	if diff := cmp.Diff(certificatesv1.PodCertificateRequestSpec{
		SignerName: "example.com/signer", PodName: "p", PodUID: c.api.pod(t, "p").UID,
		ServiceAccountName: "robot", ServiceAccountUID: spec.ServiceAccountUID, NodeName: "node-1", NodeUID: spec.NodeUID,
		UnverifiedUserAnnotations: map[string]string{"example.com/a": "b"},
	}, spec); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	c.advance(10 * time.Second)
	bundle := c.read("p", nil)
	if _, chain, ok := strings.Cut(bundle, "-----END PRIVATE KEY-----\n"); !ok || strings.TrimSpace(chain) != strings.TrimSpace(anchors("leaf", "root")) {
		t.Fatalf("bundle %q", bundle)
	}
	block, _ := pem.Decode([]byte(bundle))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	asked, err := x509.ParseCertificateRequest(request.Spec.StubPKCS10Request)
	if err != nil {
		t.Fatal(err)
	}
	if public := key.(crypto.Signer).Public(); !cmp.Equal(public, asked.PublicKey) {
		t.Error("the volume's key is not the one that was certified")
	}
}

func TestAPodCertificateIsRefreshed(t *testing.T) {
	c := withSigner(t)
	pod := certified("ECDSAP256")
	pod.Spec.Containers[0].Command = []string{"cat /v/bundle.pem", "sleep 1000", "cat /v/bundle.pem", "sleep 1000"}
	c.create(engine.Pods, pod)
	c.answer(issued(), anchors("first"), noon.Add(time.Minute))
	c.advance(time.Minute - time.Second)
	if n := len(c.requests()); n != 0 {
		t.Errorf("%d requests before it is due", n)
	}
	c.advance(5*time.Minute + time.Second)
	c.answer(issued(), anchors("second"), noon.Add(time.Hour))
	c.advance(20 * time.Minute)
	first, second, ok := strings.Cut(strings.TrimSpace(c.read("p", nil)), "\n\n")
	if !ok || !strings.HasSuffix(first+"\n", anchors("first")) || !strings.HasSuffix(second+"\n", anchors("second")) || first[:100] == second[:100] {
		t.Errorf("bundles %s and %s", first, second)
	}
}

func TestRequestsThatAreNotIssued(t *testing.T) {
	denied := metav1.Condition{Type: certificatesv1.PodCertificateRequestConditionTypeDenied, Reason: "UnsupportedKeyType", Message: "try ED25519"}
	failed := metav1.Condition{Type: certificatesv1.PodCertificateRequestConditionTypeFailed, Reason: "Broken", Message: "no CA"}
	for name, tc := range map[string]struct {
		condition metav1.Condition
		event     string
		mount     string
	}{
		"denied": {denied,
			`Denied UnsupportedKeyType%!(EXTRA string=PodCertificateRequest default/NAME was denied, reason="UnsupportedKeyType", message="try ED25519")`,
			`PodCertificateRequest was permanently denied: reason="UnsupportedKeyType" message="try ED25519"`},
		"failed": {failed,
			`Failed Broken%!(EXTRA string=PodCertificateRequest default/NAME failed, reason="Broken", message="no CA")`,
			`PodCertificateRequest was permanently failed: reason="Broken" message="no CA"`},
	} {
		t.Run(name, func(t *testing.T) {
			c := withSigner(t)
			c.create(engine.Pods, certified("ED25519"))
			request := c.answer(tc.condition, "", time.Time{})
			want := []string{strings.ReplaceAll(tc.event, "NAME", request.Name), `FailedMount MountVolume.SetUp failed for volume "v" : ` + tc.mount}
			events := c.happened("p")
			if diff := cmp.Diff(want, events[len(events)-2:]); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			c.advance(time.Hour)
			if n := len(c.requests()); n != 0 {
				t.Errorf("%d requests after that", n)
			}
		})
	}
	t.Run("deleted, it is made again", func(t *testing.T) {
		c := withSigner(t)
		c.create(engine.Pods, certified("ED25519"))
		first := c.requests()[0]
		c.do(func(ctx context.Context) error {
			return c.api.Delete(ctx, engine.Identity{}, engine.PodCertificateRequests, keyOf(first), metav1.DeleteOptions{})
		})
		if open := c.requests(); len(open) != 1 || open[0].UID == first.UID {
			t.Errorf("open requests: %v", open)
		}
	})
}
