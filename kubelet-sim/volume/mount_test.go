package volume

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

func TestSubPath(t *testing.T) {
	for name, tc := range map[string]struct {
		mount     corev1.VolumeMount
		want, err string
	}{
		"none is the whole volume":     {corev1.VolumeMount{}, "", ""},
		"as it is written":             {corev1.VolumeMount{SubPath: "a/$(POD)"}, "a/$(POD)", ""},
		"expanded":                     {corev1.VolumeMount{SubPathExpr: "a/$(POD)"}, "a/p", ""},
		"a variable that is empty":     {corev1.VolumeMount{SubPathExpr: "$(POD)/$(NONE)/$(EMPTY)"}, "", "missing value for EMPTY, NONE"},
		"out of the volume":            {corev1.VolumeMount{SubPathExpr: "$(UP)/x"}, "", "unable to provision SubPath `../x`: must not contain '..'"},
		"from the root":                {corev1.VolumeMount{SubPathExpr: "$(ROOT)"}, "", "error SubPath `/tmp` must not be an absolute path"},
		"two dots that are not a name": {corev1.VolumeMount{SubPath: "..x"}, "..x", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := subPath(&tc.mount, map[string]string{"POD": "p", "EMPTY": "", "UP": "..", "ROOT": "/tmp"})
			text := ""
			if err != nil {
				text = err.Error()
			}
			if diff := cmp.Diff([]string{tc.want, tc.err}, []string{got, text}); diff != "" {
				t.Errorf("subPath and error (-want +got):\n%s", diff)
			}
		})
	}
}
