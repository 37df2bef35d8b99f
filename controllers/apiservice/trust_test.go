package apiservice

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestDecideTrust(t *testing.T) {
	object := func(edit func(map[string]string)) *corev1.ConfigMap {
		c := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "extension-apiserver-authentication"}, Data: map[string]string{
			"client-ca-file": "CA\n", "requestheader-client-ca-file": "CA\n", "requestheader-allowed-names": `["front-proxy-client"]`,
			"requestheader-extra-headers-prefix": `["X-Remote-Extra-"]`, "requestheader-group-headers": `["X-Remote-Group"]`, "requestheader-username-headers": `["X-Remote-User"]`,
		}}
		edit(c.Data)
		return c
	}
	asIs := func(map[string]string) {}
	for name, tc := range map[string]struct{ have, create, update *corev1.ConfigMap }{
		"there is none":             {nil, object(asIs), nil},
		"it is right":               {object(asIs), nil, nil},
		"it is another cluster's":   {object(func(d map[string]string) { d["client-ca-file"] = "other" }), nil, object(asIs)},
		"it is empty":               {&corev1.ConfigMap{ObjectMeta: object(asIs).ObjectMeta}, nil, object(asIs)},
		"a user has added somebody": {object(func(d map[string]string) { d["requestheader-allowed-names"] = `["front-proxy-client","me"]` }), nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			create, update := decideTrust(tc.have, "CA\n")
			if diff := cmp.Diff(tc.create, create) + cmp.Diff(tc.update, update); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
