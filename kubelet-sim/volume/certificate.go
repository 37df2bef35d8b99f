package volume

import (
	"errors"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/kubelet-sim/podcertificate"
)

// addPodCertificate adds the files of a source, whose certificate must be there.
func (p *payload) addPodCertificate(volume string, index int, s *corev1.PodCertificateProjection, mode *int32) error {
	c := podcertificate.Of(p.owner.State.Certificates, volume, index)
	switch {
	case c.Refused != "":
		return errors.New(c.Refused)
	case c.Key == "":
		return errors.New("credential bundle is not issued yet")
	}
	for _, file := range [...]struct{ path, data string }{
		{s.CredentialBundlePath, c.Key + c.Chain}, {s.KeyPath, c.Key}, {s.CertificateChainPath, c.Chain},
	} {
		if file.path != "" {
			p.put(file.path, []byte(file.data), p.private(), mode)
		}
	}
	return nil
}
