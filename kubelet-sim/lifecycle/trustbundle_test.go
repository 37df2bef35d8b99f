package lifecycle

import (
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

// anchors are certificates in PEM, with what a kubelet looks at.
func anchors(texts ...string) string {
	var b strings.Builder
	for _, text := range texts {
		b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte(text)}))
	}
	return b.String()
}

func bundle(name, signer, alive string, texts ...string) *certificatesv1.ClusterTrustBundle {
	return &certificatesv1.ClusterTrustBundle{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"alive": alive}},
		Spec:       certificatesv1.ClusterTrustBundleSpec{SignerName: signer, TrustBundle: anchors(texts...)},
	}
}

func projected(s corev1.ClusterTrustBundleProjection) corev1.VolumeSource {
	s.Path = "ca.pem"
	return corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{ClusterTrustBundle: &s}}}}
}

func TestTrustBundles(t *testing.T) {
	alive := &metav1.LabelSelector{MatchLabels: map[string]string{"alive": "yes"}}
	nobody := &metav1.LabelSelector{MatchLabels: map[string]string{"alive": "perhaps"}}
	signer := new("example.com/one")
	for name, tc := range map[string]struct {
		source corev1.ClusterTrustBundleProjection
		// want is the file, event why there is none.
		want, event string
	}{
		"one by its name":           {corev1.ClusterTrustBundleProjection{Name: new("own")}, anchors("A", "B"), ""},
		"those that are selected":   {corev1.ClusterTrustBundleProjection{SignerName: signer, LabelSelector: alive}, anchors("B", "C"), ""},
		"all of a signer":           {corev1.ClusterTrustBundleProjection{SignerName: signer, LabelSelector: &metav1.LabelSelector{}}, anchors("B", "C", "D"), ""},
		"none, if that is optional": {corev1.ClusterTrustBundleProjection{SignerName: signer, Optional: new(true)}, "", ""},
		"no name, if it is optional": {
			corev1.ClusterTrustBundleProjection{Name: new("none"), Optional: new(true)}, "", ""},
		"a name that nobody has": {corev1.ClusterTrustBundleProjection{Name: new("none")}, "",
			`while getting ClusterTrustBundle: clustertrustbundle.certificates.k8s.io "none" not found`},
		"none of the signer's": {corev1.ClusterTrustBundleProjection{SignerName: signer, LabelSelector: nobody}, "",
			"combination of signerName and labelSelector matched zero ClusterTrustBundles"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, engine.Auto)
			c.create(engine.ClusterTrustBundles, bundle("own", "", "yes", "B", "A", "B"))
			c.create(engine.ClusterTrustBundles, bundle("one-1", *signer, "yes", "C"))
			c.create(engine.ClusterTrustBundles, bundle("one-2", *signer, "yes", "B"))
			c.create(engine.ClusterTrustBundles, bundle("one-3", *signer, "no", "D"))
			c.create(engine.ClusterTrustBundles, bundle("two", "example.com/two", "yes", "E"))
			c.create(engine.Pods, newPod("p", runs("cat /v/ca.pem"), func(p *corev1.Pod) {
				p.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: projected(tc.source)}}
				p.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "v", MountPath: "/v"}}
			}))
			if tc.event == "" {
				if diff := cmp.Diff(strings.TrimSpace(tc.want), strings.TrimSpace(c.read("p", nil))); diff != "" {
					t.Errorf("file (-want +got):\n%s", diff)
				}
				return
			}
			events := c.happened("p")
			if got, want := events[len(events)-1], `FailedMount MountVolume.SetUp failed for volume "v" : `+tc.event; got != want {
				t.Errorf("event %q, want %q", got, want)
			}
		})
	}
}

func TestTrustBundlesThatComeAndChange(t *testing.T) {
	c := newCluster(t, engine.Manual)
	source := projected(corev1.ClusterTrustBundleProjection{SignerName: new("example.com/one"), LabelSelector: &metav1.LabelSelector{}})
	c.create(engine.Pods, watching(source, "ca.pem"))
	c.advance(10 * time.Second)
	if got, want := c.read("p", nil), `error: container "c" in pod "p" is waiting to start: ContainerCreating`; got != want {
		t.Fatalf("without a bundle: %q, want %q", got, want)
	}
	c.create(engine.ClusterTrustBundles, bundle("first", "example.com/one", "yes", "A"))
	c.advance(10 * time.Second)
	c.create(engine.ClusterTrustBundles, bundle("second", "example.com/one", "yes", "B"))
	c.advance(100 * time.Second)
	// The fake cat ends every file with a line of its own.
	got := strings.Split(strings.TrimSpace(c.read("p", nil)), "\n\n")
	if first, last := got[0]+"\n", got[len(got)-1]+"\n"; first != anchors("A") || last != anchors("A", "B") {
		t.Errorf("at first %s, at last %s", first, last)
	}
}
