package volume

import (
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"slices"

	"k8s.io/utils/ptr"

	certificatesv1 "k8s.io/api/certificates/v1"

	corev1 "k8s.io/api/core/v1"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/depend"
)

// addTrustBundle adds the trust anchors of one ClusterTrustBundle, or of those
// of a signer that a selector matches. Source: collectData in k8s.io/kubernetes
// pkg/volume/projected and InformerManager in pkg/kubelet/clustertrustbundle
// v1.37.2.
func (p *payload) addTrustBundle(s *corev1.ClusterTrustBundleProjection, mode *int32) error {
	bundles, err := p.trustBundles(s)
	if err != nil {
		return err
	}
	p.put(s.Path, trustAnchors(bundles), p.private(), mode)
	return nil
}

// trustBundles are those that s names. There may be none if s is optional.
func (p *payload) trustBundles(s *corev1.ClusterTrustBundleProjection) ([]*certificatesv1.ClusterTrustBundle, error) {
	switch {
	case s.Name != nil:
		d := Trusts(*s.Name)
		p.follows(d)
		bundle, ok := engine.Get[*certificatesv1.ClusterTrustBundle](p.storage.view, engine.ClusterTrustBundles, "", *s.Name)
		if ok {
			return []*certificatesv1.ClusterTrustBundle{bundle}, nil
		}
		if ptr.Deref(s.Optional, false) {
			return nil, nil
		}
		return nil, d.Lacks("while getting ClusterTrustBundle: clustertrustbundle.certificates.k8s.io %q not found", *s.Name)
	case s.SignerName != nil:
		d := Trusts(*s.SignerName)
		p.follows(d)
		// Without a selector nothing matches, with an empty one everything.
		selector, err := metav1.LabelSelectorAsSelector(s.LabelSelector)
		if err != nil {
			return nil, fmt.Errorf("while parsing label selector: %w", err)
		}
		all := engine.List[*certificatesv1.ClusterTrustBundle](p.storage.view, engine.ClusterTrustBundles, "")
		matching := slices.DeleteFunc(all, func(b *certificatesv1.ClusterTrustBundle) bool {
			return b.Spec.SignerName != *s.SignerName || !selector.Matches(labels.Set(b.Labels))
		})
		if len(matching) == 0 && !ptr.Deref(s.Optional, false) {
			return nil, d.Lacks("combination of signerName and labelSelector matched zero ClusterTrustBundles")
		}
		return matching, nil
	}
	return nil, errors.New("ClusterTrustBundle projection requires either name or signerName to be set")
}

// Trusts is what a Pod depends on that mounts one bundle, or those of a signer.
// No two of them are the same: there is a slash in the name of a signer, and none
// in that of an object.
func Trusts(bundleOrSigner string) depend.Object {
	return depend.Object{Resource: engine.ClusterTrustBundles, Name: types.NamespacedName{Name: bundleOrSigner}}
}

// trustAnchors returns the certificates of all bundles in PEM, each once.
//
// Deviation: in order of their bytes; upstream's order is another one after each
// restart of the kubelet.
func trustAnchors(bundles []*certificatesv1.ClusterTrustBundle) []byte {
	anchors := map[string]bool{}
	for _, bundle := range bundles {
		for block, rest := pem.Decode([]byte(bundle.Spec.TrustBundle)); block != nil; block, rest = pem.Decode(rest) {
			anchors[string(block.Bytes)] = true
		}
	}
	var out []byte
	for _, anchor := range slices.Sorted(maps.Keys(anchors)) {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte(anchor)})...)
	}
	return out
}
