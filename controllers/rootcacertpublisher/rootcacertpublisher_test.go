package rootcacertpublisher

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func configMap(edits ...func(*corev1.ConfigMap)) *corev1.ConfigMap {
	cm := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "kube-root-ca.crt", Annotations: map[string]string{"kubernetes.io/description": description}},
		Data:       map[string]string{"ca.crt": "CA"},
	}
	for _, edit := range edits {
		edit(cm)
	}
	return cm
}

func data(key, value string) func(*corev1.ConfigMap) {
	return func(cm *corev1.ConfigMap) { cm.Data[key] = value }
}

func annotations(m map[string]string) func(*corev1.ConfigMap) {
	return func(cm *corev1.ConfigMap) { cm.Annotations = m }
}

func TestDecide(t *testing.T) {
	for name, tc := range map[string]struct {
		phase corev1.NamespacePhase
		have  *corev1.ConfigMap
		want  plan
	}{
		"a new Namespace gets the CA":                 {corev1.NamespaceActive, nil, plan{Create: configMap()}},
		"a Namespace that is being deleted does not":  {corev1.NamespaceTerminating, nil, plan{}},
		"what is right is left alone":                 {corev1.NamespaceActive, configMap(), plan{}},
		"another certificate is put right":            {corev1.NamespaceActive, configMap(data("ca.crt", "mine")), plan{Update: configMap()}},
		"a further key goes":                          {corev1.NamespaceActive, configMap(data("x", "y")), plan{Update: configMap()}},
		"a description of its own stays":              {corev1.NamespaceActive, configMap(annotations(map[string]string{"kubernetes.io/description": "mine"})), plan{}},
		"a description that is missing is written in": {corev1.NamespaceActive, configMap(annotations(nil)), plan{Update: configMap()}},
	} {
		t.Run(name, func(t *testing.T) {
			ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team"}, Status: corev1.NamespaceStatus{Phase: tc.phase}}
			if diff := cmp.Diff(tc.want, decide(ns, tc.have, "CA")); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}
